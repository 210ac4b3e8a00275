/// How a model did on samples whose targets are known.
public struct Evaluation: Sendable, Hashable {
    /// Mean over samples (and their steps, and outputs), in the targets' own units.
    public internal(set) var loss: Double
    /// nil where targets are numbers.
    public internal(set) var classification: ClassificationScores?
    /// nil where targets are classes.
    public internal(set) var regression: RegressionScores?

    /// Share of rows, samples or their steps, whose class was right; nil where targets are numbers.
    public var accuracy: Double? { classification?.accuracy }
}

extension Model {
    /// Loss and metrics on samples with targets.
    ///
    /// - Parameters:
    ///   - top: k of the top-k accuracy, which is taken where there are more than k classes.
    ///   - threads: as `predict` has it; the bits are the same.
    /// - Throws: `FathomError.invalid` where widths disagree, there are no samples, or the targets are not what the loss takes.
    public func evaluate(_ samples: Samples, loss: Loss, top: Int = 5, threads: Int? = nil) throws -> Evaluation {
        guard samples.count > 0 else { throw FathomError.invalid("there are no samples to evaluate") }
        guard top > 0 else { throw FathomError.invalid("top-\(top) accuracy; k must be at least 1") }
        try samples.checkTargets(for: loss, outputs: outputs, steps: outputSteps)
        var tally = EvaluationTally(samples.targets, loss: loss, outputs: outputs, top: top)
        let steps = outputSteps ?? 1, scaling = try targetScaling()
        var sum = 0.0, answers: [Float] = []
        try withExtendedLifetime(scaling) {
            try forEachBatch(of: samples, purpose: .evaluation, loss: loss, threads: threads) { plan, rows in
                // Steps are outermost in the plan; the sum goes sample by sample, as if each were a batch of its own.
                for r in 0..<rows.count { for t in 0..<steps { sum += plan.rowLoss[t * rows.count + r] } }
                plan.copyOutput(to: &answers, steps, scaling)
                tally.add(answers, firstRow: rows.lowerBound * steps)
            }
        }
        return tally.evaluation(loss: sum / loss.divisor(rows: samples.count * steps, columns: outputs))
    }
}

extension Plan {
    /// The output as `predict` gives it: row-major, sample by sample, each with its steps in order.
    fileprivate func copyOutput(to answers: inout [Float], _ steps: Int, _ scaling: ColumnScaling?) {
        let count = output.rows * output.columns
        if answers.count != count { answers = Array(repeating: 0, count: count) }
        answers.withUnsafeMutableBufferPointer {
            run([.scatter(output, steps: steps, scale: scaling?.deviation, offset: scaling?.mean, target: $0.baseAddress!)], threads: 1)
        }
    }
}

/// Holds answers against targets, batch by batch; it knows nothing of plans.
struct EvaluationTally {
    private let targets: Samples.Targets
    private let outputs: Int
    private var classification: ClassificationScores?
    private var regression: RegressionScores?

    init(_ targets: Samples.Targets, loss: Loss, outputs: Int, top: Int) {
        self.targets = targets
        self.outputs = outputs
        switch targets {
        case .none: break
        case .classes, .stepClasses: classification = ClassificationScores(classes: outputs, top: top)
        case .values where loss.isClassification:
            classification = outputs == 1 ? ClassificationScores(classes: 2, top: 2) : ClassificationScores(binaryOutputs: outputs)
        case .values: regression = RegressionScores(outputs: outputs)
        }
    }

    /// - Parameters:
    ///   - answers: row-major, whole rows of `outputs`: a sample's, or one for each of its steps.
    ///   - firstRow: the row of the targets that the first belongs to.
    mutating func add(_ answers: [Float], firstRow: Int) {
        for row in 0..<answers.count / outputs {
            let answer = answers[row * outputs..<(row + 1) * outputs], place = firstRow + row
            switch targets {
            case .none: break
            case .classes(let classes), .stepClasses(let classes, _): classification?.add(answer, class: Int(classes[place]))
            case .values(let values, _):
                let target = values[place * outputs..<(place + 1) * outputs]
                classification?.add(answer, binary: target)
                regression?.add(answer, target)
            }
        }
    }

    func evaluation(loss: Double) -> Evaluation { Evaluation(loss: loss, classification: classification, regression: regression) }
}
