import CKernels

// Calls of normalization, dropout, residuals and recurrence. Shapes, sums and formulas are in CKernels/include/fathom_kernels.h.

typealias Batch = fathom_batch

extension Call {
    static func layerNormForward(
        x: Panels, epsilon: Double, gain: UnsafePointer<Float>?, bias: UnsafePointer<Float>?, activation: Activation, mean: UnsafeMutablePointer<Float>?,
        rstd: UnsafeMutablePointer<Float>, slope: Panels?, y: Panels
    ) -> Call {
        Call(FATHOM_LAYERNORM_FORWARD) {
            $0.layernorm_forward = fathom_layernorm_forward_arguments(
                rows: x.rows, columns: x.columns, centered: mean != nil, epsilon: Float(epsilon), x: x.data, x_stride: x.stride, gain: gain, bias: bias,
                activation: activation.kernel.kind, parameter: activation.kernel.parameter, mean: mean, rstd: rstd, slope: slope?.data,
                slope_stride: slope?.stride ?? 0, y: y.data, y_stride: y.stride)
        }
    }

    static func layerNormBackward(
        x: Panels, gain: UnsafePointer<Float>?, mean: UnsafePointer<Float>?, rstd: UnsafePointer<Float>, dy: Panels, activation: Activation, saved: Panels,
        dx: Panels, blocks: SignalBlocks? = nil
    ) -> Call {
        Call(FATHOM_LAYERNORM_BACKWARD) {
            $0.layernorm_backward = fathom_layernorm_backward_arguments(
                rows: x.rows, columns: x.columns, centered: mean != nil, x: x.data, x_stride: x.stride, gain: gain, mean: mean, rstd: rstd,
                dy: dy.data, dy_stride: dy.stride, activation: activation.kernel.kind, parameter: activation.kernel.parameter,
                saved: saved.data, saved_stride: saved.stride, dx: dx.data, dx_stride: dx.stride, blocks: blocks ?? SignalBlocks())
        }
    }

    static func layerNormGradient(
        x: Panels, mean: UnsafePointer<Float>?, rstd: UnsafePointer<Float>, dy: Panels, accumulate: Bool, dgain: UnsafeMutablePointer<Float>?,
        dbias: UnsafeMutablePointer<Float>?
    ) -> Call {
        Call(FATHOM_LAYERNORM_GRADIENT) {
            $0.layernorm_gradient = fathom_layernorm_gradient_arguments(
                rows: x.rows, columns: x.columns, x: x.data, x_stride: x.stride, mean: mean, rstd: rstd, dy: dy.data, dy_stride: dy.stride,
                accumulate: accumulate, dgain: dgain, dbias: dbias)
        }
    }

    static func batchNormForward(
        x: Panels, epsilon: Double, gain: UnsafePointer<Float>?, bias: UnsafePointer<Float>?, activation: Activation, mean: UnsafeMutablePointer<Float>,
        variance: UnsafeMutablePointer<Float>, rstd: UnsafeMutablePointer<Float>, slope: Panels?, y: Panels, momentsOfX: UnsafeMutablePointer<Double>?
    ) -> Call {
        Call(FATHOM_BATCHNORM_FORWARD) {
            $0.batchnorm_forward = fathom_batchnorm_forward_arguments(
                rows: x.rows, columns: x.columns, epsilon: Float(epsilon), x: x.data, x_stride: x.stride, gain: gain, bias: bias,
                activation: activation.kernel.kind, parameter: activation.kernel.parameter, mean: mean, variance: variance, rstd: rstd,
                slope: slope?.data, slope_stride: slope?.stride ?? 0, y: y.data, y_stride: y.stride, x_moments: momentsOfX)
        }
    }

    static func batchNormInference(
        x: Panels, epsilon: Double, gain: UnsafePointer<Float>?, bias: UnsafePointer<Float>?, mean: UnsafePointer<Float>, variance: UnsafePointer<Float>,
        activation: Activation, y: Panels
    ) -> Call {
        Call(FATHOM_BATCHNORM_INFERENCE) {
            $0.batchnorm_inference = fathom_batchnorm_inference_arguments(
                rows: x.rows, columns: x.columns, epsilon: Float(epsilon), x: x.data, x_stride: x.stride, gain: gain, bias: bias, mean: mean,
                variance: variance, activation: activation.kernel.kind, parameter: activation.kernel.parameter, y: y.data, y_stride: y.stride)
        }
    }

    static func batchNormBackward(
        x: Panels, gain: UnsafePointer<Float>?, mean: UnsafePointer<Float>, rstd: UnsafePointer<Float>, dy: Panels, activation: Activation, saved: Panels,
        accumulate: Bool, dgain: UnsafeMutablePointer<Float>?, dbias: UnsafeMutablePointer<Float>?, dx: Panels?, blocks: SignalBlocks? = nil
    ) -> Call {
        Call(FATHOM_BATCHNORM_BACKWARD) {
            $0.batchnorm_backward = fathom_batchnorm_backward_arguments(
                rows: x.rows, columns: x.columns, x: x.data, x_stride: x.stride, gain: gain, mean: mean, rstd: rstd, dy: dy.data, dy_stride: dy.stride,
                activation: activation.kernel.kind, parameter: activation.kernel.parameter, saved: saved.data, saved_stride: saved.stride,
                accumulate: accumulate, dgain: dgain, dbias: dbias, dx: dx?.data, dx_stride: dx?.stride ?? 0,
                blocks: dx == nil ? SignalBlocks() : blocks ?? SignalBlocks())
        }
    }

    static func dropout(
        _ rate: Double, seed: UInt64, layer: Int, batch: UnsafePointer<Batch>, steps: Int, mask: Panels, x: Panels, y: Panels
    ) -> Call {
        dropout(FATHOM_DROPOUT_FORWARD, rate, seed, layer, batch, steps, mask, x, y)
    }

    /// dx is dy where the mask kept, times 1/(1 − rate).
    static func dropoutBackward(
        _ rate: Double, seed: UInt64, layer: Int, batch: UnsafePointer<Batch>, steps: Int, mask: Panels, dy: Panels, dx: Panels
    ) -> Call {
        dropout(FATHOM_DROPOUT_BACKWARD, rate, seed, layer, batch, steps, mask, dy, dx)
    }

    private static func dropout(
        _ operation: fathom_operation, _ rate: Double, _ seed: UInt64, _ layer: Int, _ batch: UnsafePointer<Batch>, _ steps: Int, _ mask: Panels,
        _ x: Panels, _ y: Panels
    ) -> Call {
        Call(operation) {
            $0.dropout = fathom_dropout_arguments(
                rows: x.rows, columns: x.columns, steps: steps, seed: seed, layer: UInt32(layer), purpose: RandomPurpose.dropout.rawValue,
                threshold: UInt32(rate * 0x1p32), scale: Float(1 / (1 - rate)), batch: batch,
                mask: UnsafeMutableRawPointer(mask.data).assumingMemoryBound(to: UInt16.self), x: x.data, x_stride: x.stride, y: y.data, y_stride: y.stride)
        }
    }

    /// y = a + s·b, s = scale·factor; y = s·b where a is nil.
    static func add(_ a: Panels?, _ b: Panels, scale: Double = 1, factor: UnsafePointer<Float>? = nil, y: Panels) -> Call {
        Call(FATHOM_ADD) {
            $0.add = fathom_add_arguments(
                rows: y.rows, columns: y.columns, a: a?.data, a_stride: a?.stride ?? 0, b: b.data, b_stride: b.stride, scale: Float(scale), factor: factor,
                y: y.data, y_stride: y.stride)
        }
    }

    /// The sum of a·b of each panel.
    static func dot(_ a: Panels, _ b: Panels, sums: UnsafeMutablePointer<Double>) -> Call {
        Call(FATHOM_DOT) {
            $0.dot = fathom_dot_arguments(
                rows: a.rows, columns: a.columns, a: a.data, a_stride: a.stride, b: b.data, b_stride: b.stride, sums: sums)
        }
    }

    static func dotTotal(panels: Int, sums: UnsafePointer<Double>, scale: Double, accumulate: Bool, total: UnsafeMutablePointer<Float>) -> Call {
        Call(FATHOM_DOT_TOTAL) {
            $0.dot_total = fathom_dot_total_arguments(panels: panels, sums: sums, scale: Float(scale), accumulate: accumulate, total: total)
        }
    }

    static func fill(_ y: Panels, value: Float) -> Call {
        Call(FATHOM_FILL) { $0.fill = fathom_fill_arguments(rows: y.rows, columns: y.columns, value: value, y: y.data, y_stride: y.stride) }
    }

    /// y is the mean of the steps of x.
    static func stepMean(x: Panels, steps: Int, y: Panels) -> Call {
        Call(FATHOM_STEP_MEAN) {
            $0.steps = fathom_steps_arguments(
                rows: y.rows, columns: y.columns, steps: steps, x: x.data, x_stride: x.stride, y: y.data, y_stride: y.stride, scale: 1 / Float(steps), last: false)
        }
    }

    /// Every step of x is y/steps; or the last is y and the others are zero.
    static func stepSpread(y: Panels, steps: Int, last: Bool, x: Panels) -> Call {
        Call(FATHOM_STEP_SPREAD) {
            $0.steps = fathom_steps_arguments(
                rows: y.rows, columns: y.columns, steps: steps, x: x.data, x_stride: x.stride, y: y.data, y_stride: y.stride,
                scale: last ? 1 : 1 / Float(steps), last: last)
        }
    }

    static func lstmForward(gates: Panels, columns: Int, cBefore: Panels?, c: Panels, h: Panels) -> Call {
        Call(FATHOM_LSTM_FORWARD) {
            $0.lstm.rows = gates.rows
            $0.lstm.columns = columns
            $0.lstm.gates = gates.data
            $0.lstm.gates_stride = gates.stride
            $0.lstm.c_before = UnsafePointer(cBefore?.data)
            $0.lstm.c_before_stride = cBefore?.stride ?? 0
            $0.lstm.c = c.data
            $0.lstm.c_stride = c.stride
            $0.lstm.h = h.data
            $0.lstm.h_stride = h.stride
        }
    }

    /// - Parameter last: dc holds nothing yet.
    static func lstmBackward(gates: Panels, columns: Int, cBefore: Panels?, c: Panels, dh: Panels, dc: Panels, last: Bool, dgates: Panels) -> Call {
        var call = lstmForward(gates: gates, columns: columns, cBefore: cBefore, c: c, h: dh)
        call.operation = FATHOM_LSTM_BACKWARD
        call.arguments.lstm.h = nil
        call.arguments.lstm.dh = UnsafePointer(dh.data)
        call.arguments.lstm.dh_stride = dh.stride
        call.arguments.lstm.dc = dc.data
        call.arguments.lstm.dc_stride = dc.stride
        call.arguments.lstm.last = last
        call.arguments.lstm.dgates = dgates.data
        call.arguments.lstm.dgates_stride = dgates.stride
        return call
    }

    static func gruForward(slots: Panels, columns: Int, hBefore: Panels?, h: Panels) -> Call {
        Call(FATHOM_GRU_FORWARD) {
            $0.gru.rows = slots.rows
            $0.gru.columns = columns
            $0.gru.slots = slots.data
            $0.gru.slots_stride = slots.stride
            $0.gru.h_before = UnsafePointer(hBefore?.data)
            $0.gru.h_before_stride = hBefore?.stride ?? 0
            $0.gru.h = h.data
            $0.gru.h_stride = h.stride
        }
    }

    /// - Parameter dhBefore: nil where the gradient stops at this step.
    static func gruBackward(slots: Panels, columns: Int, hBefore: Panels?, dh: Panels, dhBefore: Panels?, dslots: Panels) -> Call {
        var call = gruForward(slots: slots, columns: columns, hBefore: hBefore, h: dh)
        call.operation = FATHOM_GRU_BACKWARD
        call.arguments.gru.h = nil
        call.arguments.gru.dh = UnsafePointer(dh.data)
        call.arguments.gru.dh_stride = dh.stride
        call.arguments.gru.dh_before = dhBefore?.data
        call.arguments.gru.dh_before_stride = dhBefore?.stride ?? 0
        call.arguments.gru.dslots = dslots.data
        call.arguments.gru.dslots_stride = dslots.stride
        return call
    }

    /// average += rate·(value − average), unless the step was not finite.
    static func movingAverage(
        count: Int, average: UnsafeMutablePointer<Float>, value: UnsafePointer<Float>, rate: Double, update: UnsafePointer<Update>
    ) -> Call {
        Call(FATHOM_MOVING_AVERAGE) {
            $0.moving_average = fathom_moving_average_arguments(count: count, average: average, value: value, rate: Float(rate), update: update)
        }
    }
}
