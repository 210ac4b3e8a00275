import CKernels
import Foundation
import Testing

private func settings(_ change: (inout fathom_update) -> Void = { _ in }) -> fathom_update {
    var update = fathom_update()
    update.learning_rate = 0.01
    (update.clip_norm, update.clip_value) = (.infinity, .infinity)
    (update.beta1, update.beta2, update.epsilon) = (0.9, 0.999, 1e-8)
    (update.correction1, update.correction2) = (1, 1)
    (update.clip_coefficient, update.finite) = (1, true)
    change(&update)
    return update
}

private func step(_ operation: fathom_operation, p: Panels, g: Panels, m: Panels? = nil, v: Panels? = nil, decay: Float = 0, _ update: fathom_update) {
    withUnsafePointer(to: update) { pointer in
        run(call(operation) {
            $0.optimizer = fathom_optimizer_arguments(
                count: 16 * p.panels * p.rows, p: p.pointer, g: g.pointer, m: m?.pointer, v: v?.pointer, decay: decay, update: pointer, segments: nil, far: false)
        })
    }
}

@Suite struct OptimizerTests {
    /// Kingma & Ba 2015, algorithm 1, with Loshchilov & Hutter's decoupled decay, in float64.
    @Test(arguments: [Float(0), 0.01])
    func adamAgreesWithFloat64(decay: Float) {
        let n = 48, steps = 20, p = Panels(1, n, in: -1...1, seed: 1), m = Panels(1, n), v = Panels(1, n)
        var exact = p.values.map(Double.init), first = [Double](repeating: 0, count: n), second = first
        let rate = Double(Float(0.01)), beta1 = Double(Float(0.9)), beta2 = Double(Float(0.999)), epsilon = Double(Float(1e-8))
        for t in 1...steps {
            let g = Panels(1, n, in: -2...2, seed: UInt64(100 + t))
            let (c1, c2) = (1 / (1 - pow(beta1, Double(t))), 1 / sqrt(1 - pow(beta2, Double(t))))
            step(FATHOM_ADAM, p: p, g: g, m: m, v: v, decay: decay, settings {
                ($0.correction1, $0.correction2) = (Float(c1), Float(c2))
            })
            for i in 0..<n {
                let gradient = Double(g[0, i])
                exact[i] -= rate * Double(decay) * exact[i]
                first[i] = beta1 * first[i] + (1 - beta1) * gradient
                second[i] = beta2 * second[i] + (1 - beta2) * gradient * gradient
                exact[i] -= rate * c1 * first[i] / (sqrt(second[i]) * c2 + epsilon)
            }
        }
        // Per step p is rounded twice (2 · 2⁻²⁴, |p| ≤ 1.2). An update is at most rate·|m̂|/√v̂ ≤ 10·rate; its float32 error is that of the
        // moments: each step adds some 2⁻²³ relative to the gradients' size (below 2), so at most 20 · 10 · rate · 2⁻²² over the run.
        let bound = Double(steps) * (1.2 * 0x1p-23 + 10 * rate * 0x1p-22)
        for i in 0..<n { #expect(abs(Double(p[0, i]) - exact[i]) <= bound) }
    }

    @Test(arguments: [(Float(0), false), (0.9, false), (0.9, true)])
    func sgdAgreesWithFloat64(momentum: Float, nesterov: Bool) {
        let n = 40, steps = 20, p = Panels(1, n, in: -1...1, seed: 2), m = Panels(1, n)
        var exact = p.values.map(Double.init), velocity = [Double](repeating: 0, count: n)
        let rate = Double(Float(0.01)), mu = Double(momentum)
        for t in 1...steps {
            let g = Panels(1, n, in: -2...2, seed: UInt64(200 + t))
            step(FATHOM_SGD, p: p, g: g, m: momentum == 0 ? nil : m, decay: 0.05, settings { ($0.momentum, $0.nesterov) = (momentum, nesterov) })
            for i in 0..<n {
                let gradient = Double(g[0, i])
                velocity[i] = mu * velocity[i] + gradient
                exact[i] -= rate * Double(Float(0.05)) * exact[i]
                exact[i] -= rate * (nesterov ? gradient + mu * velocity[i] : velocity[i])
            }
        }
        // p is rounded twice a step; the velocity (below 20) once, and what it lost lives on for 1/(1 − μ) = 10 steps
        let bound = Double(steps) * (4 * 0x1p-23 + rate * 20 * 10 * 0x1p-24)
        for i in 0..<n { #expect(abs(Double(p[0, i]) - exact[i]) <= bound) }
    }

    /// Tieleman & Hinton 2012 as PyTorch has it, in float64; the decay is decoupled.
    @Test(arguments: [Float(0), 0.9])
    func rmspropAgreesWithFloat64(momentum: Float) {
        let n = 40, steps = 20, p = Panels(1, n, in: -1...1, seed: 6), m = Panels(1, n), v = Panels(1, n)
        var exact = p.values.map(Double.init), velocity = [Double](repeating: 0, count: n), square = velocity
        let rate = Double(Float(0.01)), rho = Double(Float(0.99)), mu = Double(momentum), decay = Double(Float(0.05)), epsilon = Double(Float(0.1))
        for t in 1...steps {
            let g = Panels(1, n, in: -2...2, seed: UInt64(300 + t))
            step(FATHOM_RMSPROP, p: p, g: g, m: momentum == 0 ? nil : m, v: v, decay: 0.05, settings {
                ($0.momentum, $0.beta2, $0.epsilon) = (momentum, 0.99, 0.1)
            })
            for i in 0..<n {
                let gradient = Double(g[0, i])
                square[i] = rho * square[i] + (1 - rho) * gradient * gradient
                velocity[i] = mu * velocity[i] + gradient / (sqrt(square[i]) + epsilon)
                exact[i] -= rate * decay * exact[i]
                exact[i] -= rate * velocity[i]
            }
        }
        // |g|/√v ≤ 1/√(1 − ρ) = 10. Of v, a step keeps its three roundings (2⁻²⁴ relative each) and those before it; 20 steps err by 2⁻¹⁸ at most, the root
        // by half of it. So a direction errs by 10·2⁻¹⁸, a velocity by ten times that; p, below 20 · 0.01 · 100, is rounded twice a step.
        let bound = Double(steps) * (20 * 0x1p-23 + rate * 10 * (momentum == 0 ? 1 : 10) * 0x1p-18)
        for i in 0..<n { #expect(abs(Double(p[0, i]) - exact[i]) <= bound) }
    }

    /// Chen et al. 2023, algorithm 2, in float64.
    @Test func lionAgreesWithFloat64() {
        let n = 40, steps = 20, p = Panels(1, n, in: -1...1, seed: 7), m = Panels(1, n)
        var exact = p.values.map(Double.init), mean = [Double](repeating: 0, count: n)
        let rate = Double(Float(0.01)), beta1 = Double(Float(0.9)), beta2 = Double(Float(0.99)), decay = Double(Float(0.1))
        for t in 1...steps {
            let g = Panels(1, n, in: -2...2, seed: UInt64(400 + t))
            step(FATHOM_LION, p: p, g: g, m: m, decay: 0.1, settings { $0.beta2 = 0.99 })
            for i in 0..<n {
                let gradient = Double(g[0, i]), blend = beta1 * mean[i] + (1 - beta1) * gradient
                #expect(abs(blend) > 20 * 0x1p-22, "too near to 0 for a sign that rounding cannot turn; take another seed")
                exact[i] -= rate * decay * exact[i]
                exact[i] -= blend > 0 ? rate : -rate
                mean[i] = beta2 * mean[i] + (1 - beta2) * gradient
            }
        }
        // The signs agree, so p (at most 1.2) differs by its two roundings a step; m, below 2, by its two.
        for i in 0..<n {
            #expect(abs(Double(p[0, i]) - exact[i]) <= Double(steps) * 1.2 * 0x1p-23)
            #expect(abs(Double(m[0, i]) - mean[i]) <= Double(steps) * 2 * 0x1p-23)
        }
    }

    @Test func lionStepsByTheLearningRateOrNotAtAll() {
        let p = Panels(1, 5), m = Panels([0, 0, -1, 1, .nan])
        step(FATHOM_LION, p: p, g: Panels([1e-30, 0, 0.5, -1e30, 1]), m: m, settings { $0.learning_rate = 0.25 })
        #expect(Array(p.values.dropLast()) == [-0.25, 0, 0.25, 0.25] && p[0, 4].isNaN)
    }

    @Test func adamsFirstStepIsTheLearningRateAgainstTheGradientsSign() {
        let g = Panels([3, -0.001, 1e10, -1e-3]), p = Panels(1, 4), m = Panels(1, 4), v = Panels(1, 4)
        step(FATHOM_ADAM, p: p, g: g, m: m, v: v, settings { ($0.correction1, $0.correction2) = (10, 31.622776) })
        for (value, sign) in zip(p.values, [-1, 1, -1, 1] as [Float]) { #expect(abs(value - 0.01 * sign) < 1e-6) }
    }

    @Test func clippingMultipliesThenCutsTheGradient() {
        let p = Panels(1, 3)
        step(FATHOM_SGD, p: p, g: Panels([8, -8, 1]), settings { ($0.learning_rate, $0.clip_coefficient, $0.clip_value) = (1, 0.5, 2) })
        #expect(p.values == [-2, 2, -0.5])
    }

    @Test(arguments: [FATHOM_SGD.rawValue, FATHOM_ADAM.rawValue, FATHOM_RMSPROP.rawValue, FATHOM_LION.rawValue])
    func nothingChangesWhereTheStepIsNotFinite(raw: UInt32) {
        let p = Panels(1, 20, in: -1...1, seed: 3), m = Panels(1, 20, in: -1...1, seed: 4), v = Panels(1, 20, in: 0...1, seed: 5)
        let before = [p.bits, m.bits, v.bits]
        step(fathom_operation(raw), p: p, g: Panels(1, 20) { _, _ in .nan }, m: m, v: v, decay: 0.1, settings { $0.finite = false; $0.momentum = 0.9 })
        #expect([p.bits, m.bits, v.bits] == before)
    }
}

/// The norms and the clipping factor of tensors given as the sums of their panels.
private func clip(_ tensors: [[Double]], values: [[Double]]? = nil, loss: Double = 0, _ update: fathom_update) -> (fathom_update, norms: [Double]) {
    var result = update, norms = [Double](repeating: .nan, count: tensors.count), ends: [Int] = []
    for tensor in tensors { ends.append((ends.last ?? 0) + tensor.count) }
    let sums = tensors.flatMap { $0 }, clipped = (values ?? []).flatMap { $0 }
    norms.withUnsafeMutableBufferPointer { norms in
        withUnsafeMutablePointer(to: &result) { result in
            withUnsafePointer(to: loss) { loss in
                ends.withUnsafeBufferPointer { ends in
                    sums.withUnsafeBufferPointer { sums in
                        clipped.withUnsafeBufferPointer { clipped in
                            run(call(FATHOM_CLIP) {
                                $0.clip = fathom_clip_arguments(
                                    tensors: ends.count, ends: ends.baseAddress, sums: sums.baseAddress,
                                    clipped_sums: values == nil ? nil : clipped.baseAddress, loss: loss, tensor_norms: norms.baseAddress,
                                    update: result)
                            })
                        }
                    }
                }
            }
        }
    }
    return (result, norms)
}

@Suite struct ClippingTests {
    @Test func theGlobalNormIsThatOfAllTensors() {
        let (update, norms) = clip([[9, 7], [9], []], settings { $0.clip_norm = 2.5 })
        #expect(norms == [4, 3, 0])
        #expect(update.gradient_norm == 5 && update.clip_coefficient == 0.5 && update.clipped_gradient_norm == 2.5 && update.finite)
    }

    @Test func aSmallGradientIsLeftAlone() {
        for norm in [Float.infinity, 5, 5.5] {
            let (update, _) = clip([[25]], settings { $0.clip_norm = norm })
            #expect(update.clip_coefficient == 1 && update.clipped_gradient_norm == 5)
        }
        #expect(clip([[0, 0]], settings { $0.clip_norm = 1 }).0.clip_coefficient == 1)
        #expect(clip([], settings()).0.gradient_norm == 0)
    }

    @Test func withValuesClippedTheNormAfterIsTheirs() {
        let (update, norms) = clip([[25], [144]], values: [[9], [16]], settings { $0.clip_value = 1 })
        #expect(norms == [5, 12])
        #expect(update.gradient_norm == 13 && update.clipped_gradient_norm == 5 && update.clip_coefficient == 1)
    }

    @Test func aStepIsFiniteWhereLossAndGradientAre() {
        #expect(clip([[1]], loss: 1, settings()).0.finite)
        for loss in [Double.nan, .infinity, -.infinity] { #expect(!clip([[1]], loss: loss, settings()).0.finite) }
        for sum in [Double.nan, .infinity] { #expect(!clip([[1], [sum]], settings { $0.clip_norm = 1 }).0.finite) }
    }

    @Test(arguments: [Float(1e-30), 1e30, 0x1p-149, 3e38])
    func squaresAreNeitherLostNorOverflow(value: Float) {
        let g = Panels(50, 35) { _, _ in value }
        var sums = [Double](repeating: .nan, count: 3)
        sums.withUnsafeMutableBufferPointer { sums in
            run(call(FATHOM_SQUARED_NORM) {
                $0.squared_norm = fathom_squared_norm_arguments(
                    rows: 50, columns: 35, g: g.pointer, g_stride: g.stride, squares: nil, clip_value: .infinity, sums: sums.baseAddress, clipped_sums: nil)
            })
        }
        let (update, norms) = clip([sums], settings { $0.clip_norm = 1 })
        let exact = Double(value) * sqrt(50 * 35)
        #expect(abs(norms[0] / exact - 1) < 1e-13, "1750 additions in float64")
        // where the norm is above 1, what remains is 1, to half an ulp of the coefficient, which for 3e38 is subnormal
        let coefficient = update.clip_coefficient
        #expect(exact <= 1 || abs(exact * Double(coefficient) - 1) <= exact * Double(coefficient.ulp))
        #expect(update.finite)
    }

    @Test func squaredNormsCutValuesForTheClippedSum() {
        let g = Panels(3, 2) { r, c in Float(r * 2 + c) - 2 }
        var sums = [0.0], clipped = [0.0]
        sums.withUnsafeMutableBufferPointer { sums in
            clipped.withUnsafeMutableBufferPointer { clipped in
                run(call(FATHOM_SQUARED_NORM) {
                    $0.squared_norm = fathom_squared_norm_arguments(
                        rows: 3, columns: 2, g: g.pointer, g_stride: g.stride, squares: nil, clip_value: 1.5, sums: sums.baseAddress,
                        clipped_sums: clipped.baseAddress)
                })
            }
        }
        #expect(sums == [4 + 1 + 0 + 1 + 4 + 9] && clipped == [2.25 + 1 + 0 + 1 + 2.25 + 2.25])
    }

    /// A norm is the same number whether wgrad has summed the squares of its blocks, on any number of threads, or they are read again.
    @Test(arguments: [(1, 1), (16, 16), (33, 40), (200, 130), (784, 20)])
    func squaresOfWeightGradients(inputs: Int, outputs: Int) {
        let x = Panels(37, inputs, in: -1...1, seed: 1), dy = Panels(37, outputs, in: -1...1, seed: 2), dw = Panels(inputs, outputs)
        let panels = (outputs + 15) / 16
        func sums(squares: UnsafePointer<Double>?) -> [Double] {
            [Double](unsafeUninitializedCapacity: panels) { sums, count in
                run(call(FATHOM_SQUARED_NORM) {
                    $0.squared_norm = fathom_squared_norm_arguments(
                        rows: inputs, columns: outputs, g: dw.pointer, g_stride: dw.stride, squares: squares, clip_value: .infinity,
                        sums: sums.baseAddress, clipped_sums: nil)
                })
                count = panels
            }
        }
        for threads: Int32 in 1...3 {
            var squares = [Double](repeating: .nan, count: panels * ((inputs + 15) / 16))
            let ofBlocks = squares.withUnsafeMutableBufferPointer { squares in
                run(call(FATHOM_GEMM_WGRAD) {
                    $0.gemm_wgrad = fathom_gemm_wgrad_arguments(
                        rows: 37, inputs: inputs, outputs: outputs, x: x.pointer, x_stride: x.stride, dy: dy.pointer, dy_stride: dy.stride,
                        accumulate: false, dw: dw.pointer, dw_stride: dw.stride, squares: squares.baseAddress)
                }, threads: threads)
                return sums(squares: squares.baseAddress)
            }
            #expect(ofBlocks == sums(squares: nil))
        }
    }
}
