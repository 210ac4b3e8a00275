import CKernels

/// One entry of a plan: an operation and its arguments. What each does, element by element, is written in CKernels/include/fathom_kernels.h.
typealias Call = fathom_call
typealias Update = fathom_update

extension Call {
    init(_ operation: fathom_operation, _ fill: (inout fathom_arguments) -> Void) {
        self.init()
        self.operation = operation
        fill(&arguments)
    }

    /// The call without a barrier after it: it, those that follow up to the first with one, and that one must be independent of each other.
    func overlapping(_ overlaps: Bool = true) -> Call {
        var call = self
        call.overlaps = overlaps
        return call
    }

    /// The call as one of a chain, which threads divide by rows: of what the others of it write, it needs for a row of its result that row alone.
    func byRows(_ byRows: Bool) -> Call {
        var call = self
        call.by_rows = byRows
        return call
    }

    /// y = φ(x·w + b), or φ(y + x·w + b) where it accumulates; slope keeps φ′ where the activation saves it.
    static func forward(
        x: Panels, w: Panels, bias: UnsafePointer<Float>?, activation: Activation, accumulate: Bool = false, slope: Panels?, y: Panels
    ) -> Call {
        Call(FATHOM_GEMM_FORWARD) {
            $0.gemm_forward = fathom_gemm_forward_arguments(
                rows: x.rows, inputs: w.rows, outputs: w.columns, x: x.data, x_stride: x.stride, w: w.data, w_stride: w.stride,
                bias: bias, activation: activation.kernel.kind, parameter: activation.kernel.parameter, accumulate: accumulate,
                slope: slope?.data, slope_stride: slope?.stride ?? 0, y: y.data, y_stride: y.stride)
        }
    }

    /// dx = (dy·wᵀ) ⊙ φ′(saved), or (dx + dy·wᵀ) ⊙ φ′(saved) where it accumulates; the derivative of the activation that made x.
    ///
    /// - Parameter isTransposed: whether wᵀ is what is given, made once for many products.
    static func dgrad(
        dy: Panels, w: Panels, isTransposed: Bool = false, activation: Activation, saved: Panels?, accumulate: Bool, dx: Panels, blocks: SignalBlocks? = nil
    ) -> Call {
        Call(FATHOM_GEMM_DGRAD) {
            $0.gemm_dgrad = fathom_gemm_dgrad_arguments(
                rows: dy.rows, inputs: isTransposed ? w.columns : w.rows, outputs: isTransposed ? w.rows : w.columns, dy: dy.data, dy_stride: dy.stride,
                w: w.data, w_stride: w.stride, transposed: isTransposed, activation: activation.kernel.kind, parameter: activation.kernel.parameter,
                accumulate: accumulate, saved: saved?.data, saved_stride: saved?.stride ?? 0, dx: dx.data, dx_stride: dx.stride, blocks: blocks ?? SignalBlocks())
        }
    }

    /// dw = xᵀ·dy, or dw + xᵀ·dy where it accumulates; the sums of squares of its blocks, where they are wanted.
    static func wgrad(x: Panels, dy: Panels, accumulate: Bool, dw: Panels, squares: UnsafeMutablePointer<Double>?) -> Call {
        Call(FATHOM_GEMM_WGRAD) {
            $0.gemm_wgrad = fathom_gemm_wgrad_arguments(
                rows: x.rows, inputs: dw.rows, outputs: dw.columns, x: x.data, x_stride: x.stride, dy: dy.data, dy_stride: dy.stride,
                accumulate: accumulate, dw: dw.data, dw_stride: dw.stride, squares: squares)
        }
    }

    static func transpose(_ m: Panels, into t: Panels) -> Call {
        Call(FATHOM_TRANSPOSE) {
            $0.transpose = fathom_transpose_arguments(
                rows: m.rows, columns: m.columns, m: m.data, m_stride: m.stride, t: t.data, t_stride: t.stride)
        }
    }

    static func biasGradient(dy: Panels, accumulate: Bool, db: UnsafeMutablePointer<Float>) -> Call {
        Call(FATHOM_BIAS_GRADIENT) {
            $0.bias_gradient = fathom_bias_gradient_arguments(
                rows: dy.rows, columns: dy.columns, dy: dy.data, dy_stride: dy.stride, accumulate: accumulate, db: db)
        }
    }

    static func activationForward(_ activation: Activation, z: Panels, y: Panels, slope: Panels? = nil) -> Call {
        Call(FATHOM_ACTIVATION_FORWARD) {
            $0.activation_forward = fathom_activation_forward_arguments(
                rows: z.rows, columns: z.columns, activation: activation.kernel.kind, parameter: activation.kernel.parameter,
                z: z.data, z_stride: z.stride, y: y.data, y_stride: y.stride, slope: slope?.data, slope_stride: slope?.stride ?? 0)
        }
    }

    /// dz = dy·φ′(saved); dz may be dy.
    static func activationBackward(_ activation: Activation, saved: Panels?, dy: Panels, dz: Panels, blocks: SignalBlocks? = nil) -> Call {
        Call(FATHOM_ACTIVATION_BACKWARD) {
            $0.activation_backward = fathom_activation_backward_arguments(
                rows: dy.rows, columns: dy.columns, activation: activation.kernel.kind, parameter: activation.kernel.parameter,
                saved: saved?.data, saved_stride: saved?.stride ?? 0, dy: dy.data, dy_stride: dy.stride, dz: dz.data, dz_stride: dz.stride,
                blocks: blocks ?? SignalBlocks())
        }
    }

    /// The loss of every row and, where dy is given, its gradient divided by `divisor`.
    static func loss(
        _ loss: Loss, y: Panels, targets: TargetBuffers, units: UnsafePointer<Float>?, classWeights: UnsafePointer<Float>?, divisor: Double,
        rowLoss: UnsafeMutablePointer<Double>, dy: Panels?, blocks: SignalBlocks?
    ) -> Call {
        Call(loss.kernel.operation) {
            $0.loss = fathom_loss_arguments(
                rows: y.rows, columns: y.columns, y: y.data, y_stride: y.stride, classes: targets.classes,
                targets: targets.values?.data, targets_stride: targets.values?.stride ?? 0, units: units, parameter: loss.kernel.parameter,
                smoothing: loss.kernel.smoothing, class_weights: classWeights, scale: Float(1 / divisor), row_loss: rowLoss, dy: dy?.data,
                dy_stride: dy?.stride ?? 0, blocks: blocks ?? SignalBlocks())
        }
    }

    static func lossMean(rows: Int, divisor: Double, rowLoss: UnsafePointer<Double>, mean: UnsafeMutablePointer<Double>) -> Call {
        Call(FATHOM_LOSS_MEAN) { $0.loss_mean = fathom_loss_mean_arguments(rows: rows, row_loss: rowLoss, scale: 1 / divisor, mean: mean) }
    }

    static func softmax(y: Panels, p: Panels) -> Call {
        Call(FATHOM_SOFTMAX) {
            $0.softmax = fathom_softmax_arguments(rows: y.rows, columns: y.columns, y: y.data, y_stride: y.stride, p: p.data, p_stride: p.stride)
        }
    }

    static func argmax(y: Panels, classes: UnsafeMutablePointer<Int32>) -> Call {
        Call(FATHOM_ARGMAX) {
            $0.argmax = fathom_argmax_arguments(rows: y.rows, columns: y.columns, y: y.data, y_stride: y.stride, classes: classes)
        }
    }

    /// The sums of squares of g's panels: from those of its blocks, where wgrad has left them.
    static func squaredNorm(
        _ g: Panels, squares: UnsafePointer<Double>?, clipValue: Float, sums: UnsafeMutablePointer<Double>, clipped: UnsafeMutablePointer<Double>?
    ) -> Call {
        Call(FATHOM_SQUARED_NORM) {
            $0.squared_norm = fathom_squared_norm_arguments(
                rows: g.rows, columns: g.columns, g: g.data, g_stride: g.stride, squares: squares, clip_value: clipValue, sums: sums, clipped_sums: clipped)
        }
    }

    static func clip(
        tensors: Int, ends: UnsafePointer<Int>, sums: UnsafePointer<Double>, clipped: UnsafePointer<Double>?, loss: UnsafePointer<Double>,
        norms: UnsafeMutablePointer<Double>?, update: UnsafeMutablePointer<Update>
    ) -> Call {
        Call(FATHOM_CLIP) {
            $0.clip = fathom_clip_arguments(
                tensors: tensors, ends: ends, sums: sums, clipped_sums: clipped, loss: loss, tensor_norms: norms, update: update)
        }
    }

    /// g ← max(−limit, min(limit, g·factor)).
    static func clipValues(_ g: UnsafeMutablePointer<Float>, count: Int, factor: UnsafePointer<Float>?, limit: Float) -> Call {
        Call(FATHOM_CLIP_VALUES) { $0.clip_values = fathom_clip_values_arguments(count: count, g: g, factor: factor, limit: limit) }
    }

    /// One tensor to a norm of at most `limit`.
    static func clipTensor(_ g: UnsafeMutablePointer<Float>, count: Int, sums: UnsafePointer<Double>, panels: Int, limit: Double) -> Call {
        Call(FATHOM_CLIP_TENSOR) { $0.clip_tensor = fathom_clip_tensor_arguments(count: count, g: g, panels: panels, sums: sums, limit: limit) }
    }

    /// Every column, or the whole tensor, to a norm of at most `limit`, or limit·max(‖parameters‖, floor).
    static func clipUnits(_ g: Panels, parameters w: Panels?, whole: Bool, limit: Double, floor: Double) -> Call {
        Call(FATHOM_CLIP_UNITS) {
            $0.clip_units = fathom_clip_units_arguments(
                rows: g.rows, columns: g.columns, whole: whole, g: g.data, g_stride: g.stride, w: w?.data, w_stride: w?.stride ?? 0, limit: limit,
                floor: floor)
        }
    }

    /// One pass of the optimizer over the parameters of some segments, in which padding between them counts.
    ///
    /// - Parameter far: whether the network is so large that gradients and state come from memory.
    static func optimize(
        _ optimizer: Optimizer, count: Int, p: UnsafeMutablePointer<Float>, g: UnsafePointer<Float>, m: UnsafeMutablePointer<Float>?,
        v: UnsafeMutablePointer<Float>?, decay: Float, update: UnsafePointer<Update>, segments: UnsafePointer<PassSegment>, far: Bool
    ) -> Call {
        Call(optimizer.operation) {
            $0.optimizer = fathom_optimizer_arguments(count: count, p: p, g: g, m: m, v: v, decay: decay, update: update, segments: segments, far: far)
        }
    }

    /// x = (source[order] − mean)·scale, row-major into panels; a source row of a sequence is its steps one after another.
    static func gather(bytes: Bool, sourceColumns: Int, steps: Int = 1, mean: UnsafePointer<Float>?, scale: UnsafePointer<Float>?, x: Panels) -> Call {
        Call(bytes ? FATHOM_GATHER_BYTES : FATHOM_GATHER_FLOATS) {
            $0.gather = fathom_gather_arguments(
                rows: x.rows / steps, columns: x.columns, steps: steps, source: nil, source_stride: sourceColumns, order: nil, mean: mean, scale: scale,
                x: x.data, x_stride: x.stride)
        }
    }

    static func gatherClasses(rows: Int, steps: Int = 1, classes: UnsafeMutablePointer<Int32>) -> Call {
        Call(FATHOM_GATHER_CLASSES) {
            $0.gather_classes = fathom_gather_classes_arguments(rows: rows, steps: steps, source: nil, order: nil, classes: classes)
        }
    }

    /// target = m·scale + offset, panels into row-major; a target row of a sequence is its steps one after another.
    static func scatter(_ m: Panels, steps: Int = 1, scale: UnsafePointer<Float>?, offset: UnsafePointer<Float>?, target: UnsafeMutablePointer<Float>) -> Call {
        Call(FATHOM_SCATTER) {
            $0.scatter = fathom_scatter_arguments(
                rows: m.rows / steps, columns: m.columns, steps: steps, m: m.data, m_stride: m.stride, scale: scale, offset: offset, target: target,
                target_stride: steps * m.columns)
        }
    }

    /// Uniform on [a, b), or normal with mean a and deviation b, from the stream of (seed, purpose, stream).
    static func random(normal: Bool, seed: UInt64, purpose: RandomPurpose, stream: Int, a: Float, b: Float, x: Panels) -> Call {
        Call(normal ? FATHOM_RANDOM_NORMAL : FATHOM_RANDOM_UNIFORM) {
            $0.random = fathom_random_arguments(
                rows: x.rows, columns: x.columns, seed: seed, stream: UInt64(stream), purpose: purpose.rawValue, a: a, b: b,
                x: x.data, x_stride: x.stride)
        }
    }
}

/// What a stream of random numbers is for; part of its counter, so that no two uses share numbers.
enum RandomPurpose: UInt8 {
    case initialization = 1
    case shuffle = 2
    case dropout = 3
}

/// Where a plan finds the targets of its batch: classes for cross-entropy, values for the other losses.
struct TargetBuffers {
    let classes: UnsafeMutablePointer<Int32>?
    let values: Panels?
}

extension Activation {
    var kernel: (kind: fathom_activation, parameter: Float) {
        switch self {
        case .identity: (FATHOM_IDENTITY, 0)
        case .relu: (FATHOM_RELU, 0)
        case .leakyReLU(let slope): (FATHOM_LEAKY_RELU, Float(slope))
        case .elu(let alpha): (FATHOM_ELU, Float(alpha))
        case .selu: (FATHOM_SELU, 0)
        case .gelu: (FATHOM_GELU, 0)
        case .geluTanh: (FATHOM_GELU_TANH, 0)
        case .silu: (FATHOM_SILU, 0)
        case .tanh: (FATHOM_TANH, 0)
        case .sigmoid: (FATHOM_SIGMOID, 0)
        case .softplus: (FATHOM_SOFTPLUS, 0)
        case .hardTanh: (FATHOM_HARD_TANH, 0)
        }
    }

    /// Whether the backward pass reads the slope, which the forward pass leaves, rather than the output.
    var savesSlope: Bool { fathom_activation_saves_slope(kernel.kind) }
    /// Whether it reads the output, and so tells the moments of it.
    var slopeIsOfOutput: Bool { self != .identity && !savesSlope }
}

extension Loss {
    var kernel: (operation: fathom_operation, parameter: Float, smoothing: Float) {
        switch self {
        case .crossEntropy(let smoothing, _): (FATHOM_SOFTMAX_CROSS_ENTROPY, 0, Float(smoothing))
        case .meanSquaredError: (FATHOM_MEAN_SQUARED_ERROR, 0, 0)
        case .meanAbsoluteError: (FATHOM_MEAN_ABSOLUTE_ERROR, 0, 0)
        case .binaryCrossEntropy: (FATHOM_BINARY_CROSS_ENTROPY, 0, 0)
        case .huber(let delta): (FATHOM_HUBER, Float(delta), 0)
        }
    }

    /// A loss is the mean over rows, or over rows and columns.
    func divisor(rows: Int, columns: Int) -> Double { isCrossEntropy ? Double(rows) : Double(rows * columns) }
}

extension Optimizer {
    var operation: fathom_operation {
        switch self {
        case .sgd: FATHOM_SGD
        case .adam, .adamW: FATHOM_ADAM
        case .rmsProp: FATHOM_RMSPROP
        case .lion: FATHOM_LION
        }
    }
}
