/// What each class counts in a cross-entropy.
public enum ClassWeights: Sendable, Hashable, CustomStringConvertible {
    /// n/(k·n_c) for class c, where n_c of the n training targets are of it, of k classes: each class then counts as much as any other.
    /// `Loss.resolved(targets:classes:)` makes numbers of it.
    case balanced
    /// One for each class, in order; 0 or above, not all of them 0.
    case classes([Double])

    public var description: String {
        switch self {
        case .balanced: "balanced"
        case .classes(let weights): notation("classes", weights.isEmpty ? nil : weights.map { "\($0)" }.joined(separator: ", "))
        }
    }

    /// The value of `weights:`.
    init(_ argument: Argument, of arguments: Arguments) throws(FathomError) {
        guard case .term(let term) = argument.value, let name = term.name else { throw arguments.wrong("weights", argument, Self.remedy) }
        switch name {
        case "balanced":
            _ = try Arguments(term, example: "balanced")
            self = .balanced
        case "classes":
            let count = term.arguments.count, names = (0..<count).map { "weight \($0 + 1)" }
            let arguments = try Arguments(term, names, example: "classes(1, 2, 0.5)")
            if count == 0 { throw arguments.missing("weights") }
            var weights: [Double] = []
            for name in names { weights.append(try arguments.number(name, .notNegative)) }
            if weights.allSatisfy({ $0 == 0 }) { throw term.position.error("class weights that are all 0", "one at least must be above 0") }
            self = .classes(weights)
        default: throw arguments.wrong("weights", argument, Self.remedy)
        }
    }

    private static let remedy = "it must be balanced, or one weight for each class in order, as in classes(1, 2, 0.5)"
}

extension Loss {
    /// The loss with the numbers that `weights: balanced` stands for; every other loss as it is.
    ///
    /// - Parameters:
    ///   - targets: Those of the training rows.
    ///   - classes: The names of all classes, in order.
    /// - Throws: `FathomError.invalid` where weights were given for another number of classes, or a class to be balanced is the target of no row.
    public func resolved(targets: [Int32], classes: [String]) throws(FathomError) -> Loss {
        guard case .crossEntropy(let smoothing, .balanced) = self else {
            try checkWeights(classes: classes.count)
            return self
        }
        var counts = [Int](repeating: 0, count: classes.count)
        for target in targets where counts.indices.contains(Int(target)) { counts[Int(target)] += 1 }
        if let absent = counts.firstIndex(of: 0) {
            throw .invalid("weights: balanced needs training rows of every class, and of '\(classes[absent])' there are none; weights: classes(…) takes numbers")
        }
        let each = Double(targets.count) / Double(classes.count)
        // The shortest number that is the same float32, which is what training computes with.
        return .crossEntropy(smoothing: smoothing, weights: .classes(counts.compactMap { Double("\(Float(each / Double($0)))") }))
    }

    /// - Throws: `FathomError.invalid` unless class weights are numbers, one for each class.
    func checkWeights(classes: Int) throws(FathomError) {
        guard case .crossEntropy(_, let weights?) = self else { return }
        switch weights {
        case .balanced: throw .invalid("weights: balanced depends on the training rows; Loss.resolved(targets:classes:) makes numbers of it")
        case .classes(let weights) where weights.count != classes:
            throw .invalid("cross-entropy has \(weights.count) class weights, and there are \(classes) classes; give one for each, in order")
        case .classes: return
        }
    }
}
