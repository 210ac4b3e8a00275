import Fathom
import Foundation

/// What `history.jsonl` says, read for drawing: the scalars of every written step, the layers pooled, the other events as they are.
public struct RunHistory: Sendable {
    /// The numbers of a step line.
    enum Scalar: String, CaseIterable {
        case loss, learningRate = "learning_rate", gradientNorm = "gradient_norm", clippedGradientNorm = "clipped_gradient_norm"
        case clipCoefficient = "clip_coefficient"
    }

    /// The numbers of a layer, and whether they are drawn as logarithms.
    enum LayerQuantity: String, CaseIterable {
        case gradientNorm = "gradient_norm", signalGradientNorm = "signal_gradient_norm", weightNorm = "weight_norm", updateRatio = "update_ratio"
        case activationMean = "activation_mean", activationDeviation = "activation_std", slopeMeanSquare = "slope_mean_square"
        case saturated, dead, subnormal, nonfinite

        var isLogarithmic: Bool {
            switch self {
            case .gradientNorm, .signalGradientNorm, .weightNorm, .updateRatio, .activationDeviation: true
            case .activationMean, .slopeMeanSquare, .saturated, .dead, .subnormal, .nonfinite: false
            }
        }
    }

    /// How many values lie in each power of two.
    struct Exponents: Sendable, Equatable {
        var zero = 0.0
        var lowest = 0
        var counts: [Double] = []

        var total: Double { counts.reduce(zero, +) }
    }

    enum ExponentKind: String, CaseIterable { case gradient = "gradient_exponents", weight = "weight_exponents", activation = "activation_exponents" }

    let path: String
    /// Events but steps, in their order, with the last step written before each.
    private(set) var starts: [JSON] = [], epochs: [(step: Double, event: JSON)] = [], alarms: [JSON] = [], faults: [JSON] = []
    /// nil: of a run that is under way, or was killed.
    private(set) var end: JSON?
    private(set) var steps: [Double] = []
    /// Of each scalar, a value for each of `steps`; NaN where there is none, or it is not finite.
    private var scalars = Array(repeating: [Double](), count: Scalar.allCases.count)
    /// Steps that were not taken since something was not finite, and what it was.
    private(set) var broken: [(step: Int, reason: String)] = []
    private(set) var layers = LayerGrid(LayerQuantity.allCases.map { ($0.rawValue, $0.isLogarithmic) })
    private(set) var residuals = LayerGrid([("branch_to_trunk", true)])
    /// Of the last step taken that has them, by layer.
    private(set) var exponents: [ExponentKind: [Exponents]] = [:]
    private(set) var exponentStep: Int?

    /// Of a run that begins, of which `path` is to hold the history.
    public init(path: String) { self.path = path }

    /// Reads `path`. A last line without its end, which a kill tore or which is being written, is passed over.
    /// - Throws: `noSuchInput` where there is none, `invalid` with the line's number where it is damaged, or says nothing.
    public init(contentsOf path: String) throws {
        self.path = path
        guard let file = FileHandle(forReadingAtPath: path), !RunFolder.isFolder(path) else { throw FathomError.noSuchInput("there is no history '\(path)'") }
        var bytes: [UInt8] = [], number = 0
        while true {
            let piece: Data?
            do { piece = try file.read(upToCount: 1 << 22) } catch { throw FathomError.inputOutput("\(path) cannot be read") }
            guard let piece, !piece.isEmpty else { break }
            let searched = bytes.count
            bytes += piece
            var start = 0, from = searched
            while let newline = Self.newline(in: bytes, from: from) {
                number += 1
                var reader = JSONReader(bytes, start..<newline)
                do throws(JSONReader.Damage) { try read(&reader) } catch let error {
                    throw FathomError.invalid("\(path):\(number): the line is damaged at column \(error.position - start + 1): \(error.problem)")
                }
                (start, from) = (newline + 1, newline + 1)
            }
            bytes.removeSubrange(..<start)
        }
        guard number > 0 else { throw FathomError.invalid("\(path):1: the history is empty, so there is nothing to report yet") }
        guard !starts.isEmpty else { throw FathomError.invalid("\(path):1: the history does not begin with a start event, so it is not one of a training") }
    }

    private static func newline(in bytes: [UInt8], from start: Int) -> Int? {
        unsafe bytes.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress, start < bytes.count, let found = unsafe memchr(base + start, 0x0A, bytes.count - start) else { return nil }
            return unsafe UnsafeRawPointer(found) - base
        }
    }

    func values(_ scalar: Scalar) -> [Double] { Scalar.allCases.firstIndex(of: scalar).map { scalars[$0] } ?? [] }

    // MARK: A run under way

    /// Adds an event, given its line.
    /// - Throws: where it cannot be read.
    public mutating func add(line: [UInt8]) throws {
        var reader = JSONReader(line, line.indices)
        try read(&reader)
    }

    /// Adds a step, as reading its line would, in half the time.
    /// - Parameter layers: nil where the line has none; without exponents.
    public mutating func add(_ step: Trainer.Step, _ layers: [LayerStatistics]?) {
        steps.append(Double(step.step))
        let numbers = [step.loss, step.learningRate, step.gradientNorm, step.clippedGradientNorm, step.clipCoefficient]
        for (index, number) in numbers.enumerated() { scalars[index].append(number.isFinite ? number : .nan) }
        guard let layers else { return }
        self.layers.begin(step: step.step)
        for (index, layer) in layers.enumerated() {
            let place = self.layers.place(of: layer.name, near: index)
            self.layers.add(layer.gradientNorm, place, 0)
            guard let signal = layer.signalGradientNorm else { continue }
            func add(_ number: Double?, _ quantity: Int) {
                if let number, number.isFinite { self.layers.add(SevenDigits(number).value, place, quantity) }
            }
            add(signal, 1)
            add(layer.weightNorm, 2)
            add(layer.updateRatio, 3)
            add(layer.activationMean, 4)
            add(layer.activationStd, 5)
            add(layer.slopeMeanSquare, 6)
            add(layer.saturated, 7)
            add(layer.dead, 8)
            self.layers.add(Double(layer.subnormal), place, 9)
            self.layers.add(Double(layer.nonfinite), place, 10)
        }
    }

    // MARK: Lines

    private static let scalarKeys = Scalar.allCases.map { Array($0.rawValue.utf8) }
    private static let stepKey = Array("step".utf8), layersKey = Array("layers".utf8), residualsKey = Array("residuals".utf8), reasonKey = Array("loss_reason".utf8)

    private mutating func read(_ reader: inout JSONReader) throws(JSONReader.Damage) {
        let whole = reader
        try reader.expect(0x7B)
        var isFirst = true
        guard let key = try reader.nextKey(&isFirst), reader.plainText(key) == "event", let name = try reader.plainString() else {
            throw JSONReader.Damage(position: reader.position, problem: "a line begins with its event")
        }
        if reader.matches(name, Self.stepKey) { return try readStep(&reader) }
        reader = whole
        let event = try reader.value()
        try reader.expectEnd()
        switch event["event"]?.string {
        case "start": starts.append(event)
        case "epoch": epochs.append((steps.last ?? 0, event))
        case "alarm": alarms.append(event)
        case "fault": faults.append(event)
        case "end": end = event
        default: break
        }
        // What follows an end is a run that went on.
        if event["event"]?.string == "start" { end = nil }
    }

    private mutating func readStep(_ reader: inout JSONReader) throws(JSONReader.Damage) {
        var isFirst = false, step: Int?
        for index in scalars.indices { scalars[index].append(.nan) }
        while let key = try reader.nextKey(&isFirst) {
            if step == nil {
                guard reader.matches(key, Self.stepKey), case let number = try reader.number(), number >= 1, number < 1e15 else {
                    throw JSONReader.Damage(position: reader.position, problem: "a step begins with its number")
                }
                step = Int(number)
                steps.append(number)
            } else if let scalar = Self.scalarKeys.firstIndex(where: { reader.matches(key, $0) }) {
                scalars[scalar][steps.count - 1] = try reader.number()
            } else if reader.matches(key, Self.layersKey) {
                try readLayers(&reader, step ?? 0)
            } else if reader.matches(key, Self.residualsKey) {
                residuals.begin(step: step ?? 0)
                try residuals.read(&reader) { reader, _, _ throws(JSONReader.Damage) in _ = try reader.value() }
            } else if reader.matches(key, Self.reasonKey) {
                broken.append((step ?? 0, try reader.value().string ?? "not finite"))
            } else {
                _ = try reader.value()
            }
        }
        guard step != nil else { throw JSONReader.Damage(position: reader.position, problem: "a step begins with its number") }
        try reader.expectEnd()
    }

    private mutating func readLayers(_ reader: inout JSONReader, _ step: Int) throws(JSONReader.Damage) {
        layers.begin(step: step)
        var found: [ExponentKind: [Exponents]] = [:]
        try layers.read(&reader) { reader, key, layer throws(JSONReader.Damage) in
            guard let kind = ExponentKind(rawValue: reader.plainText(key)) else {
                _ = try reader.value()
                return
            }
            let missing = layer + 1 - (found[kind]?.count ?? 0)
            if missing > 0 { found[kind, default: []] += Array(repeating: Exponents(), count: missing) }
            found[kind]?[layer] = try Self.exponents(&reader)
        }
        // Of a step that is not finite much is in one power of two, that of infinity.
        if !found.isEmpty, broken.last?.step != step { (exponents, exponentStep) = (found, step) }
    }

    private static func exponents(_ reader: inout JSONReader) throws(JSONReader.Damage) -> Exponents {
        let value = try reader.value()
        guard case .array(let counts)? = value["counts"] else { return Exponents(zero: value["zero"]?.double ?? 0) }
        return Exponents(zero: value["zero"]?.double ?? 0, lowest: min(max(value["lowest"]?.integer ?? 0, -10_000), 10_000), counts: counts.map { $0.double ?? 0 })
    }
}
