import Fathom
import Foundation

extension Schema {
    /// The rows of another file, or set, in the form that the model knows: columns are matched by the header's names, labels by the
    /// classes' names.
    /// - Parameters:
    ///   - argument: What `Dataset` takes, a CSV without the target or an .npy of features too where labels are not wanted. Of a set with a test split of its own, the test split.
    ///   - labels: Whether the labels are wanted.
    /// - Returns: The rows, without targets where labels are not wanted, and choices worth printing.
    /// - Throws: `FathomError`, at the first row, column or label that the model does not know.
    public func read(_ argument: String, labels: LabelUse) throws(FathomError) -> (samples: Samples, notes: [String]) {
        let source = try Source(argument, featuresOnly: labels == .ignored)
        let (first, test) = try source.read(.model(self, labels: labels))
        return try matched(test ?? first, argument, labels)
    }

    /// The rows of a CSV at hand, plain or gzipped: from standard input, say.
    /// - Parameter name: What messages call it.
    public func read(csv: Data, name: String, labels: LabelUse) throws(FathomError) -> (samples: Samples, notes: [String]) {
        let raw = try readCSV(unpacked([UInt8](csv), name: name), name: name, .model(self, labels: labels))
        return try matched(raw, name, labels)
    }

    private func matched(_ raw: RawSamples, _ name: String, _ labels: LabelUse) throws(FathomError) -> (samples: Samples, notes: [String]) {
        guard raw.columns == width else { throw .invalid("\(name) has \(raw.columns) features a row; the model needs \(width)") }
        var targets = Samples.Targets.none
        if labels == .required {
            guard let found = raw.labels else { throw .invalid("\(name) has no labels; an evaluation needs them") }
            targets = try found.resolved(like: classes)
        }
        return (try Samples(columns: raw.columns, features: raw.features, targets: targets), raw.notes)
    }
}
