import Fathom
import FathomStability
import Foundation
import Testing

@Suite("Recurrent layers over time") struct RecurrentTests {
    static let width = 24

    /// A linear recurrent network of 101 steps with given weights from state to state, row-major.
    static func linear(_ weights: Matrix) throws -> RecurrentPass {
        let model = try Model(Network("sequence(101) rnn(\(width), identity, bias: false) last linear(1)"), inputs: 101 * 3)
        var file = try model.safeTensors()
        let place = try #require(file.tensors.firstIndex { $0.name == "1.weight_hh_l0" })
        file.tensors[place].values = weights.transposed.values.map { Float($0) }
        return try RecurrentPass(Model(file, name: "test"), normalSamples(2, 303))
    }

    static func orthogonal(seed: UInt64) -> Matrix {
        var random = CounterRandom(seed: seed, stream: 9)
        return gaussian(width, width, deviation: 1, &random).qr().q
    }

    /// W is rounded to float32 once, which moves ρ by up to 6e-8, 100 times that at step 100, and its products are float64 of exact elements.
    @Test("‖(Wᵀ)ᵏ‖ is ρᵏ for normal W", arguments: [0.9, 1.0, 1.1]) func normal(radius: Double) throws {
        let q = Self.orthogonal(seed: 1)
        var scaled = q
        for column in 0..<Self.width {
            let eigenvalue = radius * (column == 0 ? 1 : Double(Self.width - column) / Double(Self.width) * (column % 2 == 0 ? 0.98 : -0.98))
            for row in 0..<Self.width { scaled[row, column] *= eigenvalue }
        }
        let pass = try Self.linear(scaled * q.transposed)
        #expect(abs(try pass.stateEigenvalues()[0][0] / radius - 1) < 1e-6)
        try pass.product { product in
            let largest = try product.logSingularValues()[0]
            #expect(abs(exp(largest - Double(product.count) * log(radius)) - 1) < 1e-4, "lag \(product.count)")
        }
        // Exponents are ln|eigenvalue|, sorted: those that are apart by now.
        let spectrum = LyapunovSpectrum(growth: try pass.product().growth)
        #expect(abs(spectrum.exponents[0] - log(radius)) < 0.02 && spectrum.exponents.count == Self.width)
    }

    @Test("Every error signal is multiplied by ρ where W is ρ times orthogonal", arguments: [0.9, 1.0, 1.1]) func orthogonal(radius: Double) throws {
        var weights = Self.orthogonal(seed: 2)
        for i in weights.values.indices { weights.values[i] *= radius }
        let pass = try Self.linear(weights), error = normals(2 * Self.width, seed: 3)
        for norms in try pass.logGradientNorms(ofError: error) {
            #expect(norms.count == 101)
            for (lag, norm) in norms.enumerated() { #expect(abs(exp(norm - norms[0] - Double(lag) * log(radius)) - 1) < 1e-4, "lag \(lag)") }
        }
        #expect(LyapunovSpectrum(growth: try pass.product().growth).exponents.allSatisfy { abs($0 - log(radius)) < 1e-6 })
    }

    @Test("A matrix that is not normal grows first, and follows ρ in the long run") func transient() throws {
        var weights = Matrix.zero(Self.width, Self.width)
        for i in 0..<Self.width {
            weights[i, i] = i == 0 ? 0.8 : 0.7 - 0.02 * Double(i)
            if i > 0 { weights[0, i] = 2 }
        }
        let pass = try Self.linear(weights)
        var norms: [Double] = []
        try pass.product { norms.append(try $0.logSingularValues()[0]) }
        #expect(abs(try pass.stateEigenvalues()[0][0] - 0.8) < 1e-6)
        #expect(norms.max()! > 1 && norms[99] < norms.max()! - 3)
        #expect(abs((norms[99] - norms[89]) / 10 - log(0.8)) < 1e-3)
    }

    static let cells = ["rnn(7, tanh)", "rnn(7, relu, bias: false)", "lstm(5)", "gru(6)", "gru(6, bias: false)", "lstm(5, forget: 2)"]

    /// A step by itself against the training's unrolled calls: the gradient at the input of a network over T steps, of which all but the first step's input lie
    /// behind s₁, is that of s_T through the product of the steps' Jacobians and the first step's own.
    @Test("Steps in a row are the layer over its sequence", arguments: cells) func unrolled(cell: String) throws {
        let model = try Model(Network("sequence(5) \(cell) last linear(2)"), inputs: 15, seed: 2)
        let samples = try normalSamples(2, 15, seed: 4), pass = try RecurrentPass(model, samples), width = model.network.layers[1] as! Recurrent
        // The layer's output at step 5 is h of s₅: the outputs of the network are linear in it.
        let depth = try DepthPass(model, samples, steps: [0..<3, 3..<4])
        for sample in 0..<2 {
            let h = pass.states[5][sample * pass.stateSize..<sample * pass.stateSize + width.width]
            #expect(Array(h) == Array(depth.signals[1][sample * width.width..<(sample + 1) * width.width]))
        }
        // Jacobians of states against central differences of the states themselves, by changing x₁ … : ∂h₅/∂x₁ = ∂s₅/∂s₁ · ∂s₁/∂x₁, and ∂s₁/∂x₁ from the network of one step.
        let whole = try depth.backwardFactor(1, sample: 1)  // [15 × width]
        let one = try Model(Network("sequence(1) \(cell) last linear(2)"), inputs: 3, seed: 2)
        var product = Matrix.identity(pass.stateSize)  // (∂s₅/∂s₁)ᵀ
        try pass.forEachBackwardFactor(sample: 1) { product = $0 * product }
        guard pass.stateSize == width.width else { return } // of an lstm, ∂c₁/∂x₁ is not to be had from outside
        let x = Array(try model.standardizedInputs(samples)[15..<18])
        let first = try DepthPass(one, Samples(columns: 3, features: .floats(x), targets: .none), steps: [0..<3, 3..<4]).backwardFactor(1)
        let chained = first * product
        for row in 0..<3 { for column in 0..<width.width { #expect(abs(chained[row, column] - whole[row, column]) < 2e-6) } }
    }

    /// Differences over ±2⁻⁷ leave third derivatives of about 1e-5, and rounding of 1e-5. relu's states of 0 are kinks, so it is left out.
    @Test("A step's Jacobian is the derivative of the state, h and c", arguments: cells.filter { !$0.contains("relu") }) func step(cell: String) throws {
        let model = try Model(Network("sequence(5) \(cell) last linear(2)"), inputs: 15, seed: 8), x = normals(15, seed: 9)
        let pass = try RecurrentPass(model, Samples(columns: 15, features: .floats(x), targets: .none)), n = pass.stateSize
        var factor = Matrix.zero(n, n)
        try pass.forEachBackwardFactor { factor = $0 }  // the last is (∂s₂/∂s₁)ᵀ
        var moved: [Float] = []
        for i in 0..<n {
            for change in [0x1p-7, -0x1p-7] as [Float] {
                var state = pass.states[1]
                state[i] += change
                moved += state
            }
        }
        let after = try CellStep(model, position: 1, rows: 2 * n).forward((0..<2 * n).flatMap { _ in x[3..<6] }, state: moved)
        for i in 0..<n {
            for k in 0..<n {
                let difference = Double(after[2 * i * n + k] - after[(2 * i + 1) * n + k]) / 0x1p-6
                #expect(abs(factor[i, k] - difference) < 1e-4, "∂s[\(k)]/∂s[\(i)]")
            }
        }
    }

    @Test("An lstm's state is h and c, and its Jacobian the derivative of both") func lstm() throws {
        let model = try Model(Network("sequence(4) lstm(5) last linear(2)"), inputs: 12, seed: 6), samples = try normalSamples(1, 12, seed: 7)
        let pass = try RecurrentPass(model, samples)
        #expect(pass.stateSize == 10 && pass.steps == 4)
        let product = try pass.product()
        #expect(product.rank == 10 && product.count == 3)
        let spectrum = LyapunovSpectrum(growth: product.growth)
        #expect(spectrum.exponents.allSatisfy { $0.isFinite && $0 < 0.5 })
        #expect(try pass.stateEigenvalues().count == 4)
        #expect(throws: FathomError.invalid("there is no recurrent layer; rnn, lstm and gru are")) {
            try RecurrentPass(Model(Network("linear(2)"), inputs: 2), normalSamples(1, 2))
        }
    }
}
