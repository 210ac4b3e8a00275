import CKernels

// What a call writes and reads, as a search for the first value that is not finite needs it.

extension Call {
    /// A matrix that a call writes or reads.
    struct Operand {
        let name: String
        let panels: Panels
    }

    private static func operand(_ name: String, _ data: UnsafePointer<Float>?, _ stride: Int, _ rows: Int, _ columns: Int) -> Operand? {
        data.map {
            let data = UnsafeMutablePointer(mutating: $0)
            return Operand(name: name, panels: Panels(data: data, rows: rows, columns: columns, stride: stride, storage: data))
        }
    }

    private static func vector(_ name: String, _ data: UnsafePointer<Float>?, _ columns: Int) -> Operand? { operand(name, data, Panels.width, 1, columns) }

    /// The matrices that the call has written; those of sums in float64 are not among them.
    var written: [Operand] {
        let a = arguments
        let operands: [Operand?]
        switch operation {
        case FATHOM_GEMM_FORWARD:
            let g = a.gemm_forward
            operands = [Self.operand("output", g.y, g.y_stride, g.rows, g.outputs), Self.operand("slope", g.slope, g.slope_stride, g.rows, g.outputs)]
        case FATHOM_GEMM_DGRAD: operands = [Self.operand("gradient", a.gemm_dgrad.dx, a.gemm_dgrad.dx_stride, a.gemm_dgrad.rows, a.gemm_dgrad.inputs)]
        case FATHOM_GEMM_WGRAD: operands = [Self.operand("weights' gradient", a.gemm_wgrad.dw, a.gemm_wgrad.dw_stride, a.gemm_wgrad.inputs, a.gemm_wgrad.outputs)]
        case FATHOM_BIAS_GRADIENT: operands = [Self.vector("bias's gradient", a.bias_gradient.db, a.bias_gradient.columns)]
        case FATHOM_ACTIVATION_FORWARD:
            let f = a.activation_forward
            operands = [Self.operand("output", f.y, f.y_stride, f.rows, f.columns), Self.operand("slope", f.slope, f.slope_stride, f.rows, f.columns)]
        case FATHOM_ACTIVATION_BACKWARD:
            let b = a.activation_backward
            operands = [Self.operand("gradient", b.dz, b.dz_stride, b.rows, b.columns)]
        case FATHOM_SOFTMAX_CROSS_ENTROPY, FATHOM_MEAN_SQUARED_ERROR, FATHOM_MEAN_ABSOLUTE_ERROR, FATHOM_BINARY_CROSS_ENTROPY, FATHOM_HUBER:
            operands = [Self.operand("gradient", a.loss.dy, a.loss.dy_stride, a.loss.rows, a.loss.columns)]
        case FATHOM_GATHER_BYTES, FATHOM_GATHER_FLOATS:
            operands = [Self.operand("input", a.gather.x, a.gather.x_stride, a.gather.rows * a.gather.steps, a.gather.columns)]
        case FATHOM_LAYERNORM_FORWARD:
            let l = a.layernorm_forward
            operands = [Self.operand("output", l.y, l.y_stride, l.rows, l.columns), Self.operand("slope", l.slope, l.slope_stride, l.rows, l.columns)]
        case FATHOM_LAYERNORM_BACKWARD:
            let l = a.layernorm_backward
            operands = [Self.operand("gradient", l.dx, l.dx_stride, l.rows, l.columns)]
        case FATHOM_LAYERNORM_GRADIENT:
            operands = [Self.vector("gain's gradient", a.layernorm_gradient.dgain, a.layernorm_gradient.columns),
                        Self.vector("bias's gradient", a.layernorm_gradient.dbias, a.layernorm_gradient.columns)]
        case FATHOM_BATCHNORM_FORWARD:
            let b = a.batchnorm_forward
            operands = [Self.operand("output", b.y, b.y_stride, b.rows, b.columns), Self.operand("slope", b.slope, b.slope_stride, b.rows, b.columns)]
        case FATHOM_BATCHNORM_BACKWARD:
            let b = a.batchnorm_backward
            operands = [Self.vector("gain's gradient", b.dgain, b.columns), Self.vector("bias's gradient", b.dbias, b.columns),
                        Self.operand("gradient", b.dx, b.dx_stride, b.rows, b.columns)]
        case FATHOM_DROPOUT_FORWARD, FATHOM_DROPOUT_BACKWARD:
            let isForward = operation == FATHOM_DROPOUT_FORWARD
            operands = [Self.operand(isForward ? "output" : "gradient", a.dropout.y, a.dropout.y_stride, a.dropout.rows, a.dropout.columns)]
        case FATHOM_ADD: operands = [Self.operand("sum", a.add.y, a.add.y_stride, a.add.rows, a.add.columns)]
        case FATHOM_DOT_TOTAL: operands = [Self.vector("scale's gradient", a.dot_total.total, 1)]
        case FATHOM_STEP_MEAN: operands = [Self.operand("output", a.steps.y, a.steps.y_stride, a.steps.rows, a.steps.columns)]
        case FATHOM_STEP_SPREAD: operands = [Self.operand("gradient", a.steps.x, a.steps.x_stride, a.steps.rows * a.steps.steps, a.steps.columns)]
        case FATHOM_LSTM_FORWARD:
            operands = [Self.operand("cell", a.lstm.c, a.lstm.c_stride, a.lstm.rows, a.lstm.columns),
                        Self.operand("output", a.lstm.h, a.lstm.h_stride, a.lstm.rows, a.lstm.columns)]
        case FATHOM_LSTM_BACKWARD:
            let gates = 4 * Panels.padded(a.lstm.columns)
            operands = [Self.operand("gradient of the gates", a.lstm.dgates, a.lstm.dgates_stride, a.lstm.rows, gates),
                        Self.operand("gradient of the cell", a.lstm.dc, a.lstm.dc_stride, a.lstm.rows, a.lstm.columns)]
        case FATHOM_GRU_FORWARD: operands = [Self.operand("output", a.gru.h, a.gru.h_stride, a.gru.rows, a.gru.columns)]
        case FATHOM_GRU_BACKWARD:
            operands = [Self.operand("gradient of the gates", a.gru.dslots, a.gru.dslots_stride, a.gru.rows, 4 * Panels.padded(a.gru.columns))]
        default: operands = []
        }
        return operands.compactMap { $0 }
    }

    var isLoss: Bool {
        [FATHOM_SOFTMAX_CROSS_ENTROPY, FATHOM_MEAN_SQUARED_ERROR, FATHOM_MEAN_ABSOLUTE_ERROR, FATHOM_BINARY_CROSS_ENTROPY, FATHOM_HUBER].contains(operation)
    }

    /// Whether rows of what the call writes are samples, rather than weights.
    var writesSamples: Bool {
        ![FATHOM_GEMM_WGRAD, FATHOM_BIAS_GRADIENT, FATHOM_LAYERNORM_GRADIENT, FATHOM_DOT_TOTAL].contains(operation)
    }

    /// What row `row` and column `column` of the result were made from: for a product the row and the column of its operands, else the same entries.
    func fed(row: Int, column: Int) -> [Fault.Input] {
        let a = arguments
        func row_(_ name: String, _ operand: Operand?, _ other: Int? = nil) -> Fault.Input? {
            operand.map { o in Fault.Input(name: name, values: (0..<o.panels.columns).map { o.panels[other ?? row, $0] }) }
        }
        func column_(_ name: String, _ operand: Operand?, _ column: Int) -> Fault.Input? {
            operand.map { o in Fault.Input(name: name, values: (0..<o.panels.rows).map { o.panels[$0, column] }) }
        }
        func entry(_ name: String, _ operand: Operand?) -> Fault.Input? { operand.map { Fault.Input(name: name, values: [$0.panels[row, column]]) } }
        let inputs: [Fault.Input?]
        switch operation {
        case FATHOM_GEMM_FORWARD:
            let g = a.gemm_forward
            inputs = [row_("inputs", Self.operand("", g.x, g.x_stride, g.rows, g.inputs)), column_("weights", Self.operand("", g.w, g.w_stride, g.inputs, g.outputs), column),
                      g.bias.map { Fault.Input(name: "bias", values: [$0[column]]) }]
        case FATHOM_GEMM_DGRAD:
            let g = a.gemm_dgrad
            inputs = [row_("gradients", Self.operand("", g.dy, g.dy_stride, g.rows, g.outputs)),
                      g.transposed ? column_("weights", Self.operand("", g.w, g.w_stride, g.outputs, g.inputs), column)
                          : row_("weights", Self.operand("", g.w, g.w_stride, g.inputs, g.outputs), column)]
        case FATHOM_GEMM_WGRAD:
            let g = a.gemm_wgrad
            inputs = [column_("inputs", Self.operand("", g.x, g.x_stride, g.rows, g.inputs), row),
                      column_("gradients", Self.operand("", g.dy, g.dy_stride, g.rows, g.outputs), column)]
        case FATHOM_BIAS_GRADIENT:
            inputs = [column_("gradients", Self.operand("", a.bias_gradient.dy, a.bias_gradient.dy_stride, a.bias_gradient.rows, a.bias_gradient.columns), column)]
        case FATHOM_SOFTMAX_CROSS_ENTROPY, FATHOM_MEAN_SQUARED_ERROR, FATHOM_MEAN_ABSOLUTE_ERROR, FATHOM_BINARY_CROSS_ENTROPY, FATHOM_HUBER:
            inputs = [row_("outputs", Self.operand("", a.loss.y, a.loss.y_stride, a.loss.rows, a.loss.columns)),
                      row_("targets", Self.operand("", a.loss.targets, a.loss.targets_stride, a.loss.rows, a.loss.columns))]
        case FATHOM_LAYERNORM_FORWARD:
            let l = a.layernorm_forward
            inputs = [row_("inputs", Self.operand("", l.x, l.x_stride, l.rows, l.columns)), l.gain.map { Fault.Input(name: "gain", values: [$0[column]]) }]
        case FATHOM_LAYERNORM_BACKWARD:
            let l = a.layernorm_backward
            inputs = [row_("inputs", Self.operand("", l.x, l.x_stride, l.rows, l.columns)), Fault.Input(name: "1/deviation", values: [l.rstd[row]])]
        case FATHOM_BATCHNORM_FORWARD:
            let b = a.batchnorm_forward
            inputs = [column_("inputs", Self.operand("", b.x, b.x_stride, b.rows, b.columns), column), b.gain.map { Fault.Input(name: "gain", values: [$0[column]]) }]
        case FATHOM_BATCHNORM_BACKWARD:
            let b = a.batchnorm_backward
            inputs = [column_("inputs", Self.operand("", b.x, b.x_stride, b.rows, b.columns), column), Fault.Input(name: "1/deviation", values: [b.rstd[column]])]
        case FATHOM_ADD:
            let s = a.add.scale * (a.add.factor?.pointee ?? 1)
            // Where the sum lies in one of its terms, that term is gone.
            inputs = [a.add.y == UnsafeMutablePointer(mutating: a.add.a) ? nil : entry("trunk", Self.operand("", a.add.a, a.add.a_stride, a.add.rows, a.add.columns)),
                      a.add.y == UnsafeMutablePointer(mutating: a.add.b) ? nil : entry("branch", Self.operand("", a.add.b, a.add.b_stride, a.add.rows, a.add.columns)),
                      Fault.Input(name: "scale", values: [s])]
        case FATHOM_LSTM_FORWARD: inputs = [entry("cell before", Self.operand("", a.lstm.c_before, a.lstm.c_before_stride, a.lstm.rows, a.lstm.columns))]
        default: inputs = []
        }
        return inputs.compactMap { $0 }
    }
}
