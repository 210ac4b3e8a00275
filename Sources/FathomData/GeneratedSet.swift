import Fathom

/// Data drawn from a seed, named in the notation: `spirals(2000, seed: 1)`. More rows of the same set begin with the rows of fewer.
///
/// Draws come from `CounterRandom`, and sine and cosine from the library's own polynomial, so the bits are the same everywhere.
enum GeneratedSet: Hashable {
    case spirals(rows: Int, classes: Int, noise: Double, seed: UInt64)
    case teacher(rows: Int, inputs: Int, outputs: Int, noise: Double, seed: UInt64)
    case parity(rows: Int, bits: Int, seed: UInt64)
    case adding(steps: Int, rows: Int, seed: UInt64)
    case copy(lag: Int, rows: Int, seed: UInt64)

    static let names = ["spirals", "teacher", "parity", "adding", "copy"]

    /// - Throws: `FathomError.notation`, naming the column and what would be right.
    init(_ notation: String) throws(FathomError) {
        let term = try parseTerm(notation, "data set", example: "spirals(2000, seed: 1)")
        let most = 1_000_000_000, seeds = 0 ... 1 << 53
        switch term.name ?? "" {
        case "spirals":
            let arguments = try Arguments(term, ["rows"], labels: ["classes", "noise", "seed"], example: "spirals(2000, classes: 3, noise: 0.05, seed: 1)")
            self = .spirals(
                rows: try arguments.integer("rows", 1 ... most, default: 1000), classes: try arguments.integer("classes", 2 ... 1000, default: 3),
                noise: try arguments.number("noise", .notNegative, default: 0.05), seed: UInt64(try arguments.integer("seed", seeds, default: 0)))
        case "teacher":
            let arguments = try Arguments(
                term, ["rows"], labels: ["inputs", "outputs", "noise", "seed"], example: "teacher(2000, inputs: 8, outputs: 1, noise: 0.1, seed: 1)")
            self = .teacher(
                rows: try arguments.integer("rows", 1 ... most, default: 1000), inputs: try arguments.integer("inputs", 1 ... 1_000_000, default: 8),
                outputs: try arguments.integer("outputs", 1 ... 1_000_000, default: 1),
                noise: try arguments.number("noise", .notNegative, default: 0), seed: UInt64(try arguments.integer("seed", seeds, default: 0)))
        case "parity":
            let arguments = try Arguments(term, ["rows"], labels: ["bits", "seed"], example: "parity(2000, bits: 8, seed: 1)")
            self = .parity(
                rows: try arguments.integer("rows", 1 ... most, default: 1000), bits: try arguments.integer("bits", 1 ... 1_000_000, default: 8),
                seed: UInt64(try arguments.integer("seed", seeds, default: 0)))
        case "adding":
            let arguments = try Arguments(term, ["steps"], labels: ["rows", "seed"], example: "adding(200, rows: 10000, seed: 1)")
            self = .adding(
                steps: try arguments.integer("steps", 2 ... 1_000_000, default: 100), rows: try arguments.integer("rows", 1 ... most, default: 10_000),
                seed: UInt64(try arguments.integer("seed", seeds, default: 0)))
        case "copy":
            let arguments = try Arguments(term, ["lag"], labels: ["rows", "seed"], example: "copy(30, rows: 10000, seed: 1)")
            self = .copy(
                lag: try arguments.integer("lag", 1 ... 1_000_000, default: 30), rows: try arguments.integer("rows", 1 ... most, default: 10_000),
                seed: UInt64(try arguments.integer("seed", seeds, default: 0)))
        case let name: throw Vocabulary(kind: "data set", names: Source.names).unknown(name, at: term.position)
        }
    }

    var name: String {
        switch self {
        case .spirals: "spirals"
        case .teacher: "teacher"
        case .parity: "parity"
        case .adding: "adding"
        case .copy: "copy"
        }
    }

    /// - Throws: `FathomError.tooLarge` where the rows do not fit in memory.
    func read() throws(FathomError) -> RawSamples {
        switch self {
        case .spirals(let rows, let classes, let noise, let seed):
            try checkSize(rows, 3 * MemoryLayout<Double>.size)
            return drawSpirals(rows, classes, noise, seed)
        case .teacher(let rows, let inputs, let outputs, let noise, let seed):
            try checkSize(rows, inputs * MemoryLayout<Float>.size + outputs * MemoryLayout<Double>.size)
            try checkSize(hiddenWidth, (inputs + outputs) * MemoryLayout<Double>.size)
            return drawTeacher(rows, inputs, outputs, noise, seed)
        case .parity(let rows, let bits, let seed):
            try checkSize(rows, bits + MemoryLayout<Double>.size)
            return drawParity(rows, bits, seed)
        case .adding(let steps, let rows, let seed):
            try checkSize(rows, 2 * steps * MemoryLayout<Float>.size + MemoryLayout<Double>.size)
            return drawAdding(steps, rows, seed)
        case .copy(let lag, let rows, let seed):
            try checkSize(rows, (lag + 2 * copySymbols) * (copyFeatures + MemoryLayout<Double>.size))
            return drawCopy(lag, rows, seed)
        }
    }

    private func checkSize(_ rows: Int, _ bytesPerRow: Int) throws(FathomError) {
        let (bytes, overflow) = rows.multipliedReportingOverflow(by: bytesPerRow)
        guard !overflow, bytes <= memoryLimit else {
            throw .tooLarge("\(rows) rows of \(name) take \(overflow ? "too much memory" : inGigabytes(bytes)), more than fits here")
        }
    }
}

/// Streams of `CounterRandom`, above those of the splits.
enum Stream {
    static let spirals: UInt64 = 16, teacherWeights: UInt64 = 17, teacherRows: UInt64 = 18, parity: UInt64 = 19, adding: UInt64 = 20, copy: UInt64 = 21
}

private let hiddenWidth = 32

/// Row i is of class i mod `classes`: at radius t, uniform in [0, 1), one full turn of t later than its arm's start, plus normal noise.
private func drawSpirals(_ rows: Int, _ classes: Int, _ noise: Double, _ seed: UInt64) -> RawSamples {
    var random = CounterRandom(seed: seed, stream: Stream.spirals)
    var features: [Float] = [], labels: [Double] = []
    features.reserveCapacity(2 * rows)
    labels.reserveCapacity(rows)
    for row in 0 ..< rows {
        let label = row % classes
        let radius = random.uniform(), angle = 2 * (Double(label) / Double(classes) + radius)  // in units of π
        for turn in [0, 0.5] {  // cos(x − π/2) = sin x
            features.append(Float(radius * cosPi(angle - turn) + noise * random.normal()))
        }
        labels.append(Double(label))
    }
    return generated(2, .floats(features), labels, 1, ["x", "y"], "class", classNames: (0 ..< classes).map(String.init))
}

/// y = W₂·relu(W₁·x + b₁) with 32 hidden units and fixed normal weights (variances 2/inputs and 1/32, so that y is of order 1), x standard
/// normal, plus normal noise. The weights depend on the seed alone.
private func drawTeacher(_ rows: Int, _ inputs: Int, _ outputs: Int, _ noise: Double, _ seed: UInt64) -> RawSamples {
    var weights = CounterRandom(seed: seed, stream: Stream.teacherWeights)
    let inner = (2 / Double(inputs)).squareRoot(), outer = (1 / Double(hiddenWidth)).squareRoot()
    let first = (0 ..< hiddenWidth * inputs).map { _ in inner * weights.normal() }
    let bias = (0 ..< hiddenWidth).map { _ in 0.5 * weights.normal() }
    let second = (0 ..< outputs * hiddenWidth).map { _ in outer * weights.normal() }

    var random = CounterRandom(seed: seed, stream: Stream.teacherRows)
    var features: [Float] = [], targets: [Double] = [], hidden = bias
    features.reserveCapacity(rows * inputs)
    targets.reserveCapacity(rows * outputs)
    for row in 0 ..< rows {
        for _ in 0 ..< inputs { features.append(Float(random.normal())) }
        for unit in 0 ..< hiddenWidth {
            var sum = bias[unit]
            for input in 0 ..< inputs { sum += first[unit * inputs + input] * Double(features[row * inputs + input]) }
            hidden[unit] = max(sum, 0)
        }
        for output in 0 ..< outputs {
            var sum = 0.0
            for unit in 0 ..< hiddenWidth { sum += second[output * hiddenWidth + unit] * hidden[unit] }
            targets.append(Double(Float(sum + noise * random.normal())))
        }
    }
    return generated(inputs, .floats(features), targets, outputs, (1 ... inputs).map { "x\($0)" }, "y", classNames: nil)
}

/// Uniform bits; the class is whether an odd number of them is set.
private func drawParity(_ rows: Int, _ bits: Int, _ seed: UInt64) -> RawSamples {
    var random = CounterRandom(seed: seed, stream: Stream.parity)
    var features: [UInt8] = [], labels: [Double] = []
    features.reserveCapacity(rows * bits)
    labels.reserveCapacity(rows)
    for _ in 0 ..< rows {
        var word: UInt32 = 0, odd: UInt8 = 0
        for bit in 0 ..< bits {
            if bit % 32 == 0 { word = random.next() }
            features.append(UInt8(truncatingIfNeeded: word >> (bit % 32)) & 1)
            odd ^= features[features.count - 1]
        }
        labels.append(Double(odd))
    }
    return generated(bits, .bytes(features), labels, 1, (1 ... bits).map { "bit\($0)" }, "parity", classNames: ["even", "odd"])
}

private func generated(
    _ columns: Int, _ features: Samples.Features, _ labels: [Double], _ width: Int, _ names: [String], _ target: String, classNames: [String]?
) -> RawSamples {
    RawSamples(
        columns: columns, features: features,
        labels: Labels(values: .numbers(labels, width: width), name: target, place: { "row \($0 + 1)" }, areClasses: classNames != nil, classNames: classNames),
        kind: .table, names: names, target: target)
}
