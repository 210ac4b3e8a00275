import Fathom

/// Samples to train on, with what is known about them.
public struct Dataset: Sendable {
    public enum Kind: String, Sendable {
        case images
        case table
        /// Rows that are sequences of numbers from 0 to 1.
        case sequences

        /// How its features are standardized where nobody says.
        public var standardization: Standardization.Mode {
            switch self {
            case .images: .global
            case .table: .columns
            case .sequences: .none
            }
        }
    }

    /// "digits", or the file's name without its extension: names the run folder.
    public var name: String
    public var kind: Kind
    /// Time steps of a row, where it is known to be a sequence.
    public var steps: Int?
    public var training: Samples
    /// The set's own test split.
    public var test: Samples?
    /// The classes' names; nil for a regression.
    public var classes: [String]?
    /// The features' names, where the data have them.
    public var columns: [String]?
    /// The label column's name, or its position from 1 in a CSV without a header; what a generated set's targets are called; else nil.
    public var target: String?
    /// Choices worth printing, each with the way to change it.
    public var notes: [String] = []

    /// What a model trained on this must know to read other files.
    public var schema: Schema { Schema(width: training.columns, columns: columns, target: target, classes: classes) }

    /// A table made by the caller.
    public init(name: String, training: Samples, classes: [String]?) {
        (self.name, self.training, self.classes) = (name, training, classes)
        kind = .table
    }

    /// A named set ("digits", "fashion-mnist"), a generated one ("spirals(2000, seed: 1)"), or a path: .csv, .csv.gz, .npz, a folder with an
    /// IDX set, or an IDX file of images with its labels beside it.
    /// - Parameters:
    ///   - target: A CSV's label column; nil for the last.
    ///   - classification: Whether the loss needs classes; nil where the data may choose.
    /// - Throws: `FathomError`, naming file and line where they apply.
    public init(_ argument: String, target: String? = nil, classification: Bool? = nil) throws(FathomError) {
        let source = try Source(argument)
        let (training, test) = try source.read(.training(target: target))
        // A resolved recipe names the target that a generated set has.
        if let target, !source.isCSV, target != training.target {
            throw .invalid("--target \(target) chooses a column of a CSV; \(argument) has no columns to choose from")
        }
        guard let labels = training.labels else { throw .invalid("\(argument) has no labels; training needs them") }
        guard test == nil || test!.columns == training.columns else {
            throw .invalid("\(argument): training rows have \(training.columns) features, test rows \(test!.columns)")
        }
        // Both splits' labels together decide on the classes.
        guard let all = test?.labels.map(labels.joined) ?? labels else {
            throw .invalid("\(argument): the training and the test split differ in the kind of their labels")
        }
        let (targets, classes, note) = try all.resolved(classification: classification)
        let (trainingTargets, testTargets) = targets.divided(after: training.count)
        self.training = try Samples(columns: training.columns, features: training.features, targets: trainingTargets)
        if let test, test.labels != nil {
            self.test = try Samples(columns: test.columns, features: test.features, targets: testTargets)
        }
        self.classes = classes
        name = source.name
        kind = training.kind
        steps = training.steps
        columns = training.names
        self.target = training.target
        notes = training.notes + (note.map { [$0] } ?? [])
    }

    /// The sets that go by a name, for a list.
    public static let named: [(name: String, description: String)] = [
        ("digits", "1,797 handwritten digits of 8×8, embedded (UCI, E. Alpaydin and C. Kaynak 1998, CC BY 4.0)"),
        ("fashion-mnist", "70,000 articles of clothing of 28×28, 10,000 of them for testing (apt-get install dataset-fashion-mnist)"),
        ("spirals(1000, classes: 3, noise: 0.05, seed: 0)", "points on interleaved spirals: a class each, two features"),
        ("teacher(1000, inputs: 8, outputs: 1, noise: 0, seed: 0)", "what a fixed random network answers to normal inputs: a regression"),
        ("parity(1000, bits: 8, seed: 0)", "whether the number of set bits is odd: two classes"),
        ("adding(100, rows: 10000, seed: 0)", "sequences of 100 numbers, two of them marked, whose sum is the target: a regression"),
        ("copy(30, rows: 10000, seed: 0)", "ten symbols to repeat after 30 steps: one of nine classes at each of 50 steps"),
    ]
}
