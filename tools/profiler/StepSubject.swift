import CKernels
import Fathom
import FathomCommandLine
import FathomData
import FathomFormats

/// A training whose steps are measured: the recipe's, on up to 8 batches in memory, which the steps go round.
struct StepSubject {
    let experiment: Experiment
    let trainer: Trainer
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

    /// - Parameter inputs: columns of standard normal inputs in place of the recipe's data; nil: its data.
    init(_ settings: Settings, name: String?, inputs: Int?, threads: Int) throws {
        self.name = name
        var settings = settings
        if let inputs {
            experiment = try Experiment(normal: inputs, batches: Self.batchesInMemory, &settings)
        } else {
            experiment = try Experiment(Recipe(settings), settings)
        }
        _ = try experiment.memoryLine()
        trainer = try experiment.trainer(experiment.model(), threads: threads)
        // The number asked for, whatever is faster.
        trainer.adaptsThreads = false
        trainer.learningRate = min(trainer.learningRate, Self.learningRate)
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
    mutating func step() throws -> Trainer.Step { try trainer.step(experiment.training, order: order, first: nextFirst(), rows: batch) }

    mutating func timedStep() throws -> StepTimes { try trainer.timedStep(experiment.training, order: order, first: nextFirst(), rows: batch) }
}

extension Experiment {
    /// The recipe with standard normal inputs in place of its data, unless it says otherwise not standardized, and random targets: classes for
    /// cross-entropy, 0 or 1 for binary cross-entropy, else normal numbers.
    fileprivate init(normal inputs: Int, batches: Int, _ settings: inout Settings) throws {
        for key in [RecipeKey.target, .test, .validation, .patience] { settings.remove(key) }
        settings.set(.data, flag: "standard normal inputs")
        var recipe = try Recipe(settings)
        let network: Network, output: Fathom.Shape
        do {
            network = try recipe.network.resolved(inputs: inputs, outputs: nil)
            output = try network.shapes(from: Fathom.Shape(columns: inputs)).last ?? Fathom.Shape(columns: inputs)
        } catch let error {
            throw FathomError.invalid("\(settings.subject(.network)): \(error)")
        }
        let rows = try Self.rows(batches, recipe.batch, inputs + output.rows(samples: 1) * output.columns)
        let features = try standardNormal(rows * inputs, seed: recipe.seed, stream: 0)
        let targets = try Self.targets(recipe.loss ?? (output.columns == 1 ? .meanSquaredError : .crossEntropy), rows, output, seed: recipe.seed)
        recipe.standardize = recipe.standardize ?? Standardization.Mode.none
        let dataset = Dataset(
            name: "normal", training: try Samples(columns: inputs, features: .floats(features), targets: targets.values), classes: targets.classes)
        try self.init(recipe, settings, dataset)
    }

    private static func rows(_ batches: Int, _ batch: Int, _ columns: Int) throws -> Int {
        let (rows, tooMany) = batches.multipliedReportingOverflow(by: batch), (bytes, tooLarge) = rows.multipliedReportingOverflow(by: 4 * columns)
        guard !tooMany, !tooLarge, bytes <= availableMemory() / 2 else {
            throw FathomError.tooLarge("\(batches) batches of \(batch) rows do not fit in memory; a smaller --batch or fewer --inputs take less")
        }
        return rows
    }

    private static func targets(_ loss: Loss, _ rows: Int, _ output: Fathom.Shape, seed: UInt64) throws -> (values: Samples.Targets, classes: [String]?) {
        let columns = output.columns, count = output.rows(samples: rows)
        var random = CounterRandom(seed: seed, stream: 1 << 40)
        if loss.isCrossEntropy {
            let classes = (0..<count).map { _ in Int32(random.integer(below: UInt32(columns))) }
            return (output.steps.map { .stepClasses(classes, steps: $0) } ?? .classes(classes), (0..<columns).map(String.init))
        }
        let width = count / rows * columns
        if loss == .binaryCrossEntropy { return (.values((0..<rows * width).map { _ in Float(random.integer(below: 2)) }, width: width), nil) }
        return (.values(try standardNormal(rows * width, seed: seed, stream: 1), width: width), nil)
    }
}

/// `count` standard normal numbers, drawn by the kernels: one panel of 16 columns lies in memory as it is read.
private func standardNormal(_ count: Int, seed: UInt64, stream: UInt64) throws -> [Float] {
    let rows = (count + 15) / 16
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(64, rows * 64), alignment: 64)
    defer { memory.deallocate() }
    let x = memory.assumingMemoryBound(to: Float.self)
    var call = fathom_call()
    call.operation = FATHOM_RANDOM_NORMAL
    call.arguments.random = fathom_random_arguments(
        rows: rows, columns: 16, seed: seed, stream: stream, purpose: 0xFE, a: 0, b: 1, x: x, x_stride: 16 * rows)
    fathom_run(&call, 1, fathom_threads_available())
    return Array(UnsafeBufferPointer(start: x, count: count))
}
