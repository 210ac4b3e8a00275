import ArgumentParser
import CKernels
import Fathom
import FathomCommandLine
import FathomData
import FathomFormats

extension Settings {
    /// What a command that needs a network and data is asked for: a recipe, its keys as flags over it, or `--inputs` in place of data.
    /// - Throws: `UsageError` where there is no network, or nothing says what goes into it.
    init(recipe: String?, _ options: RecipeOptions, inputs: String?, command: String) throws {
        self = try recipe.map(Settings.init(contentsOf:)) ?? Settings()
        options.apply(to: &self)
        guard recipe != nil || self[.network] != nil || self[.data] != nil else {
            throw UsageError("say what to profile: a recipe, or --network with --inputs or --data; fathom-profiler \(command) --help shows examples")
        }
        guard inputs != nil || self[.data] != nil else {
            throw UsageError("how wide are the inputs? --inputs 784 makes standard normal ones, --data reads a set")
        }
    }
}

/// - Throws: `ValidationError` unless `--inputs` is a width, and data are not given beside it.
func validateInputs(_ inputs: String?, _ options: RecipeOptions) throws {
    if let inputs, Int(inputs).map({ $0 < 1 }) ?? true { throw ValidationError("--inputs takes a whole number from 1, not '\(inputs)'") }
    guard inputs == nil || options.data == nil else { throw ValidationError("--inputs makes inputs up, and --data reads them; give one of both") }
}

extension Experiment {
    /// The recipe with standard normal inputs in place of its data, unless it says otherwise not standardized, and random targets: classes for
    /// cross-entropy, 0 or 1 for binary cross-entropy, else normal numbers.
    init(normal inputs: Int, batches: Int, _ settings: inout Settings) throws {
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
func standardNormal(_ count: Int, seed: UInt64, stream: UInt64) throws -> [Float] {
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
