import CKernels
import KernelChecks

/// An operation of the kernel surface, by its name there.
struct Operation: Equatable {
    let raw: fathom_operation

    var name: String { String(cString: fathom_operation_name(raw)) }
    var isProduct: Bool { [FATHOM_GEMM_FORWARD, FATHOM_GEMM_DGRAD, FATHOM_GEMM_WGRAD].contains(raw) }
    var takesActivation: Bool { raw == FATHOM_ACTIVATION_FORWARD || raw == FATHOM_ACTIVATION_BACKWARD }

    static let all = (0..<FATHOM_OPERATIONS.rawValue).map { Operation(raw: fathom_operation($0)) }
}

/// What is measured: a kernel on a shape, with an activation where it computes one.
struct Subject {
    let operation: Operation
    let shape: Shape
    let activation: fathom_activation?

    /// Other kernels than products that are in memory at a time.
    static let mostTogether = 6

    /// Measured together, round by round: the products of one shape (of four of the usual ones), then the other kernels, activations apart.
    static func groups(_ operations: [Operation], _ shapes: [Shape]) -> [[Subject]] {
        let products = operations.filter(\.isProduct), others = operations.filter { !$0.isProduct && !$0.takesActivation }
        let shapesOfProducts = shapes.isEmpty ? Shape.usual : shapes, together = shapes.isEmpty ? 4 : 1
        var groups = stride(from: 0, to: shapesOfProducts.count, by: together).map { first in
            shapesOfProducts[first..<min(first + together, shapesOfProducts.count)].flatMap { shape in
                products.map { Subject(operation: $0, shape: shape, activation: nil) }
            }
        }
        for shape in shapes.isEmpty ? [Shape.large] : shapes {
            for operation in operations.filter(\.takesActivation) {
                groups.append((1..<FATHOM_ACTIVATIONS.rawValue).map {
                    Subject(operation: operation, shape: shape, activation: fathom_activation($0))
                })
            }
            for first in stride(from: 0, to: others.count, by: mostTogether) {
                groups.append(others[first..<min(first + mostTogether, others.count)].map { Subject(operation: $0, shape: shape, activation: nil) })
            }
        }
        return groups.filter { !$0.isEmpty }
    }
}

/// A subject's calls, on ordinary data.
final class Workload {
    let calls: [fathom_call]
    let flops: Double, bytes: Double
    private let samples: [OpaquePointer]

    init(_ subject: Subject) {
        let shape = subject.shape, activation = subject.activation ?? FATHOM_IDENTITY
        func sample(_ operation: fathom_operation, _ rows: Int, _ inputs: Int, _ outputs: Int) -> OpaquePointer {
            guard let sample = kernel_sample_create(operation, rows, inputs, outputs, activation) else { fatalError("no memory for a sample") }
            return sample
        }
        let own = sample(subject.operation.raw, shape.rows, shape.inputs, shape.outputs)
        var calls = [kernel_sample_call(own).pointee], samples = [own]
        flops = fathom_grid_of(&calls[0]).flops
        if subject.operation.raw == FATHOM_GEMM_DGRAD {
            // a step transposes the weights that it has just updated
            let weights = sample(FATHOM_TRANSPOSE, shape.inputs, 0, shape.outputs)
            var transpose = kernel_sample_call(weights).pointee
            transpose.arguments.transpose.t = UnsafeMutablePointer(mutating: calls[0].arguments.gemm_dgrad.wt)
            transpose.arguments.transpose.t_stride = calls[0].arguments.gemm_dgrad.wt_stride
            calls.insert(transpose, at: 0)
            samples.append(weights)
        }
        bytes = calls.reduce(0) { sum, call in
            var call = call
            return sum + fathom_grid_of(&call).bytes
        }
        (self.calls, self.samples) = (calls, samples)
    }

    deinit { for sample in samples { kernel_sample_destroy(sample) } }

    func run(threads: Int) { fathom_run(calls, calls.count, Int32(threads)) }
}
