import CKernels

/// A standardization as the kernels read it: one entry per column, padded to whole panels.
final class ColumnScaling: Sendable {
    private let memory: Memory
    private let padded: Int

    init?(_ standardization: Standardization?, columns: Int) throws {
        guard let standardization else { return nil }
        padded = Panels.padded(columns)
        memory = try Memory(byteCount: 3 * padded * MemoryLayout<Float>.stride)
        for c in 0..<columns {
            let entry = standardization.mean.count == 1 ? 0 : c
            memory.floats(at: 0)[c] = standardization.mean[entry]
            memory.floats(at: padded)[c] = 1 / standardization.deviation[entry]
            memory.floats(at: 2 * padded)[c] = standardization.deviation[entry]
        }
    }

    var mean: UnsafeMutablePointer<Float> { memory.floats(at: 0) }
    /// 1/deviation.
    var scale: UnsafeMutablePointer<Float> { memory.floats(at: padded) }
    var deviation: UnsafeMutablePointer<Float> { memory.floats(at: 2 * padded) }
}
