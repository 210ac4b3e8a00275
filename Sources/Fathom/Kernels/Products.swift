import CKernels

/// A forward product of a plan, y = φ(x·w + b), taken apart.
struct ForwardProduct {
    let weight: UnsafePointer<Float>
    /// Where y goes.
    let output: Panels
    /// The same call without φ.
    let linear: Call

    /// - Returns: nil where the call is another operation.
    init?(_ call: Call) {
        guard call.operation == FATHOM_GEMM_FORWARD else { return nil }
        let arguments = call.arguments.gemm_forward
        guard let y = arguments.y, let w = arguments.w else { return nil }
        weight = w
        output = Panels(data: y, rows: arguments.rows, columns: arguments.outputs, stride: arguments.y_stride, storage: y)
        var linear = call
        linear.arguments.gemm_forward.activation = FATHOM_IDENTITY
        self.linear = linear
    }
}
