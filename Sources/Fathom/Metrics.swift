/// What was right of the classes that a model told: counts, and the shares made from them.
///
/// A row is a sample, or a step of one where each step has a class. Several binary outputs stand for as many properties that a row has or
/// has not; each is scored by those that have it, and a row is right where all are.
public struct ClassificationScores: Sendable, Hashable {
    /// One class, or one of several binary outputs.
    public struct Class: Sendable, Hashable {
        /// Rows of this class.
        public internal(set) var support = 0
        /// Rows predicted to be of it.
        public internal(set) var predicted = 0
        /// Rows of it that were predicted to be of it.
        public internal(set) var right = 0

        /// right/predicted; 0 where it is never predicted.
        public var precision: Double { share(right, of: predicted) }
        /// right/support; 0 where it never comes.
        public var recall: Double { share(right, of: support) }
        /// The harmonic mean of precision and recall, 2·right/(support + predicted); 0 where the class neither comes nor is predicted.
        public var f1: Double { share(2 * right, of: support + predicted) }
    }

    /// Whether a row's class was among the `k` largest outputs.
    public struct Top: Sendable, Hashable {
        public let k: Int
        public internal(set) var right = 0
    }

    /// Whether `classes` are binary outputs, of which a row may have several.
    public let isMultilabel: Bool
    public private(set) var rows = 0
    /// Rows whose prediction was right.
    public private(set) var right = 0
    /// In the order of the model's classes, or of its binary outputs.
    public private(set) var classes: [Class]
    /// nil for several binary outputs, and for more than 1,000 classes.
    public private(set) var confusion: ConfusionMatrix?
    /// nil where there are no more than `k` classes.
    public private(set) var top: Top?

    public var accuracy: Double { share(right, of: rows) }
    public var topAccuracy: Double? { top.map { share($0.right, of: rows) } }
    /// The mean of f1 over the classes that come or are predicted.
    public var macroF1: Double {
        let known = classes.filter { $0.support + $0.predicted > 0 }
        return known.isEmpty ? 0 : known.reduce(0) { $0 + $1.f1 } / Double(known.count)
    }

    /// For rows of one class each.
    init(classes count: Int, top k: Int) {
        isMultilabel = false
        classes = Array(repeating: Class(), count: count)
        confusion = count <= ConfusionMatrix.mostClasses ? ConfusionMatrix(classes: count) : nil
        top = count > k ? Top(k: k) : nil
    }

    /// For several binary outputs.
    init(binaryOutputs count: Int) {
        isMultilabel = true
        classes = Array(repeating: Class(), count: count)
    }

    /// A row by its outputs, one a class: the largest is the prediction. NaN is the largest of all and of equals the first, as FATHOM_ARGMAX has it.
    mutating func add(_ outputs: ArraySlice<Float>, class target: Int) {
        let own = outputs[outputs.startIndex + target]
        var predicted = 0, before = 0
        for (index, value) in outputs.enumerated() {
            if value.exceeds(outputs[outputs.startIndex + predicted]) { predicted = index }
            if value.exceeds(own) || (index < target && !own.exceeds(value)) { before += 1 }
        }
        if let k = top?.k, before < k { top?.right += 1 }
        count(target, predicted: predicted)
    }

    /// A row by one logit for each binary output, above 0 for yes, and targets above ½ for yes. One output tells two classes apart.
    mutating func add(_ outputs: ArraySlice<Float>, binary targets: ArraySlice<Float>) {
        let answers = zip(outputs, targets).map { (isPredicted: $0 > 0, isTrue: $1 > 0.5) }
        guard isMultilabel else { return count(answers[0].isTrue ? 1 : 0, predicted: answers[0].isPredicted ? 1 : 0) }
        rows += 1
        right += answers.allSatisfy { $0.isPredicted == $0.isTrue } ? 1 : 0
        for (index, answer) in answers.enumerated() {
            classes[index].support += answer.isTrue ? 1 : 0
            classes[index].predicted += answer.isPredicted ? 1 : 0
            classes[index].right += answer.isTrue && answer.isPredicted ? 1 : 0
        }
    }

    private mutating func count(_ target: Int, predicted: Int) {
        rows += 1
        classes[target].support += 1
        classes[predicted].predicted += 1
        confusion?.add(target, predicted)
        guard target == predicted else { return }
        right += 1
        classes[target].right += 1
    }
}

/// How often rows of one class were predicted to be of another.
public struct ConfusionMatrix: Sendable, Hashable {
    static let mostClasses = 1000

    public let classes: Int
    private var counts: [Int]

    init(classes: Int) {
        self.classes = classes
        counts = Array(repeating: 0, count: classes * classes)
    }

    /// Rows of class `target` that were predicted to be of class `predicted`.
    public subscript(target: Int, predicted: Int) -> Int { counts[target * classes + predicted] }

    fileprivate mutating func add(_ target: Int, _ predicted: Int) { counts[target * classes + predicted] += 1 }
}

/// How far predicted numbers were off, in the targets' own units.
public struct RegressionScores: Sendable, Hashable {
    public struct Output: Sendable, Hashable {
        private var rows = 0.0
        private var mean = 0.0
        /// Σ(t − mean of t)², by Welford's recurrence (1962): exactly 0 where all targets are the same.
        private var spread = 0.0
        private var squaredErrors = 0.0
        private var absoluteErrors = 0.0

        fileprivate mutating func add(_ prediction: Double, _ target: Double) {
            rows += 1
            let distance = target - mean
            mean += distance / rows
            spread += distance * (target - mean)
            let error = prediction - target
            squaredErrors += error * error
            absoluteErrors += error.magnitude
        }

        /// Mean squared error.
        public var mse: Double { squaredErrors / rows }
        public var rmse: Double { mse.squareRoot() }
        /// Mean absolute error.
        public var mae: Double { absoluteErrors / rows }
        /// 1 − Σ(y − t)²/Σ(t − mean of t)²; nil where the target is constant, so that there is nothing to explain.
        public var r2: Double? { spread == 0 ? nil : 1 - squaredErrors / spread }
    }

    /// Samples, or steps of them where each step has its targets.
    public private(set) var rows = 0
    public private(set) var outputs: [Output]

    /// Over all outputs alike.
    public var rmse: Double { mean(\.mse).squareRoot() }
    public var mae: Double { mean(\.mae) }
    /// The mean over the outputs whose target is not constant; nil where there are none.
    public var r2: Double? {
        let known = outputs.compactMap(\.r2)
        return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
    }

    private func mean(_ score: (Output) -> Double) -> Double { outputs.reduce(0) { $0 + score($1) } / Double(outputs.count) }

    init(outputs count: Int) {
        outputs = Array(repeating: Output(), count: count)
    }

    mutating func add(_ predictions: ArraySlice<Float>, _ targets: ArraySlice<Float>) {
        rows += 1
        for (index, (prediction, target)) in zip(predictions, targets).enumerated() { outputs[index].add(Double(prediction), Double(target)) }
    }
}

private func share(_ part: Int, of whole: Int) -> Double { whole == 0 ? 0 : Double(part) / Double(whole) }

extension Float {
    /// Whether it is larger, NaN being larger than any number.
    fileprivate func exceeds(_ other: Float) -> Bool { !other.isNaN && (isNaN || self > other) }
}
