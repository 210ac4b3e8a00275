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

/// A subject's call, on ordinary data.
final class Workload {
    let flops: Double, bytes: Double
    private let sample: OpaquePointer

    init(_ subject: Subject) {
        let shape = subject.shape
        guard let sample = kernel_sample_create(subject.operation.raw, shape.rows, shape.inputs, shape.outputs, subject.activation ?? FATHOM_IDENTITY) else {
            fatalError("no memory for a sample")
        }
        self.sample = sample
        let grid = fathom_grid_of(kernel_sample_call(sample))
        (flops, bytes) = (grid.flops, grid.bytes)
    }

    deinit { kernel_sample_destroy(sample) }

    func run(threads: Int) { fathom_run(kernel_sample_call(sample), 1, Int32(threads)) }
}
