import Fathom
import FathomCommandLine
import FathomFormats

/// A training whose steps are measured: the recipe's, on up to 8 batches in memory, which the steps go round.
struct StepSubject {
    let experiment: Experiment
    let trainer: Trainer
    /// The same training without instruments; nil where the recipe asks for none.
    let uninstrumented: Trainer?
    /// The recipe's file without its extension; nil without a recipe.
    let name: String?
    let batch: Int
    let batches: Int
    private let order: [UInt32]
    private var next = 0

    /// So many batches, as a benchmark has them: more than the caches keep of large ones, and made beforehand.
    static let batchesInMemory = 8
    /// The largest learning rate: parameters stay near their start, so that no training diverges or ends in subnormals while it is measured.
    static let learningRate = 1e-5

    /// - Parameters:
    ///   - inputs: columns of standard normal inputs in place of the recipe's data; nil: its data.
    ///   - adapts: whether fewer threads run a step where that is faster, as in a training.
    init(_ settings: Settings, name: String?, inputs: Int?, threads: Int, adapts: Bool = false) throws {
        self.name = name
        var settings = settings
        if let inputs {
            experiment = try Experiment(normal: inputs, batches: Self.batchesInMemory, &settings)
        } else {
            experiment = try Experiment(Recipe(settings), settings)
        }
        _ = try experiment.memoryLine()
        trainer = try experiment.trainer(experiment.model(), threads: threads)
        uninstrumented = trainer.instruments == .none ? nil : try experiment.trainer(experiment.model(), threads: threads, instruments: Trainer.Instruments.none)
        for trainer in [trainer, uninstrumented].compactMap(\.self) {
            trainer.adaptsThreads = adapts
            trainer.learningRate = min(trainer.learningRate, Self.learningRate)
        }
        batch = experiment.batch
        batches = min(Self.batchesInMemory, experiment.training.count / batch)
        order = Array(experiment.order(ofEpoch: 1).prefix(batches * batch))
    }

    var threads: Int { trainer.threads }

    private mutating func nextFirst() -> Int {
        defer { next = (next + 1) % batches }
        return next * batch
    }

    @discardableResult
    mutating func step(_ other: Trainer? = nil) throws -> Trainer.Step { try (other ?? trainer).step(experiment.training, order: order, first: nextFirst(), rows: batch) }

    mutating func timedStep() throws -> StepTimes { try trainer.timedStep(experiment.training, order: order, first: nextFirst(), rows: batch) }
}
