import CKernels

/// A standardization as the kernels read it: one entry per column, each step of a sequence padded to whole panels.
final class ColumnScaling: Sendable {
    private let memory: Memory
    private let padded: Int

    /// - Parameters:
    ///   - standardization: of one entry for all columns, or of one for each column of a step or of a row.
    ///   - columns: of a row, all its steps.
    init?(_ standardization: Standardization?, columns: Int, steps: Int = 1) throws {
        guard let standardization else { return nil }
        let columnsOfStep = columns / steps, paddedStep = Panels.padded(columnsOfStep)
        padded = steps * paddedStep
        memory = try Memory(byteCount: 3 * padded * MemoryLayout<Float>.stride)
        for c in 0..<columns {
            let entry = c % standardization.mean.count, place = c / columnsOfStep * paddedStep + c % columnsOfStep
            memory.floats(at: 0)[place] = standardization.mean[entry]
            memory.floats(at: padded)[place] = 1 / standardization.deviation[entry]
            memory.floats(at: 2 * padded)[place] = standardization.deviation[entry]
        }
    }

    var mean: UnsafeMutablePointer<Float> { memory.floats(at: 0) }
    /// 1/deviation.
    var scale: UnsafeMutablePointer<Float> { memory.floats(at: padded) }
    var deviation: UnsafeMutablePointer<Float> { memory.floats(at: 2 * padded) }
}

/// A loss's class weights as the kernels read them: one for each output, padded with zeros to whole panels.
final class ClassWeightVector: Sendable {
    private let memory: Memory

    /// nil where the loss has none.
    /// - Throws: `FathomError.invalid` unless they are numbers, one for each output.
    init?(_ loss: Loss?, outputs: Int) throws {
        try loss?.checkWeights(classes: outputs)
        guard case .crossEntropy(_, .classes(let weights)?)? = loss else { return nil }
        memory = try Memory(byteCount: Panels.padded(outputs) * MemoryLayout<Float>.stride)
        for (c, weight) in weights.enumerated() { memory.floats(at: 0)[c] = Float(weight) }
    }

    var values: UnsafeMutablePointer<Float> { memory.floats(at: 0) }
}
