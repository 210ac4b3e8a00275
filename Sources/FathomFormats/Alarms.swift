import Fathom

/// A warning about a training.
public struct Alarm: Sendable, Equatable {
    public enum Kind: String, Sendable, CaseIterable {
        case vanishing, exploding, saturated, dead, clipping
    }

    public let kind: Kind
    /// The layer that is worst; nil of clipping.
    public let layer: String?
    /// One sentence, without its full stop.
    public let message: String
}

/// Looks at the layers of steps and warns, once for what lasts.
///
/// A layer vanishes or explodes where the gradient of its output, per entry, is 1,000 times smaller or larger than that of the last layer; it is saturated or
/// dead where nine tenths of it are. What the last layer alone does to the gradient, as where its weights begin at 0, makes no layer vanish.
///
/// Inside a residual a layer vanishes, and explodes too, along the branch: beside the layer in front of the branch's last with weights. Beside the last layer all of a
/// branch may be small, and is where its scale or its last weights begin at 0; the gradient then goes past it.
///
/// What holds in three steps looked at in a row is an alarm; the same kind is one again when twice as many layers are affected.
///
/// What has been seen is a function of the steps alone, neither of how long the training is meant to be nor of what is written of it: it lies in checkpoints.
public struct Alarms: Sendable, Equatable {
    static let gain = 1_000.0, share = 0.9, lasting = 3, clippedSteps = 100

    /// Of each layer in how many of the last steps looked at it held, up to `lasting`; layers in which it does not hold are left out.
    private var lasts: [Alarm.Kind: [String: Int]] = [:]
    /// How many layers were affected when it was warned of last.
    private var warned: [Alarm.Kind: Int] = [:]
    private var clipped = 0, seen = 0

    public init() {}

    /// Whether a step's layers are looked at: every one of the first 1,000, every tenth of the first 10,000, then every hundredth.
    public static func looks(at step: Int) -> Bool { step.isMultiple(of: step <= 1_000 ? 1 : step <= 10_000 ? 10 : 100) }

    /// - Parameter layers: of one step, in the network's order.
    public mutating func look(at layers: [LayerStatistics]) -> [Alarm] {
        if lasts.isEmpty && Self.isCalm(layers) { return [] }
        guard let last = Self.last(of: layers) else { return [] }
        let ends = Self.branchEnds(of: layers), front = Self.largestInFront(layers)
        return [Alarm.Kind.vanishing, .exploding, .saturated, .dead].compactMap { kind in
            see(kind, layers.indices.compactMap { Self.affected(kind, layers[$0], last: last, front: front, branchEnd: ends[$0].map { layers[$0] }) }, of: layers.count)
        }
    }

    /// Whether nothing can hold, whatever the layers are measured against: no gradient is 500 times another (NaN is beside nothing), and nothing is saturated or
    /// dead. So it is in most steps, and to say so allocates nothing.
    private static func isCalm(_ layers: [LayerStatistics]) -> Bool {
        var least = Double.infinity, largest = 0.0
        for layer in layers {
            if let signal = layer.signalPerEntry { (least, largest) = (min(least, signal), max(largest, signal)) }
            if (layer.saturated ?? 0) >= share || (layer.dead ?? 0) >= share { return false }
        }
        return largest <= gain / 2 * least
    }

    /// A layer in which something holds.
    private struct Affected {
        let name: String
        /// Larger is worse.
        let severity: Double
        /// What its gradient is measured against; nil: the last layer.
        var beside: String?
    }

    /// nil where it does not hold.
    private static func affected(
        _ kind: Alarm.Kind, _ layer: LayerStatistics, last: LayerStatistics, front: LayerStatistics?, branchEnd: LayerStatistics?
    ) -> Affected? {
        func found(_ severity: Double?, beside: String? = nil) -> Affected? { severity.map { Affected(name: layer.name, severity: $0, beside: beside) } }
        func exploding(beside other: LayerStatistics) -> Double? { layer.gain(from: other).flatMap { $0 > gain && $0.isFinite ? $0 : nil } }
        func vanishing(beside other: LayerStatistics) -> Double? { layer.gain(from: other).flatMap { $0 < 1 / gain ? 1 / $0 : nil } }
        switch kind {
        case .vanishing where layer.branch != nil: return branchEnd.flatMap { found(vanishing(beside: $0), beside: $0.name) }
        case .vanishing where (front.flatMap { layer.gain(from: $0) } ?? 0) >= 1 / gain: return nil
        case .vanishing: return found(vanishing(beside: last))
        case .exploding: return found(exploding(beside: last)) ?? branchEnd.flatMap { found(exploding(beside: $0), beside: $0.name) }
        case .saturated: return found(layer.saturated.flatMap { $0 >= share && (layer.dead ?? 0) < share ? $0 : nil })
        case .dead: return found(layer.dead.flatMap { $0 >= share ? $0 : nil })
        case .clipping: return nil
        }
    }

    /// The last layer; of a network that ends in a residual with parameters the residual: what it learns to multiply its branch by may begin at 0.
    private static func last(of layers: [LayerStatistics]) -> LayerStatistics? {
        guard let last = layers.last, last.branch != nil else { return layers.last }
        return layers.last { $0.branch == nil && last.name.hasPrefix($0.path + ".") } ?? last
    }

    /// Of the layers in front of the last with weights that with the largest gradient.
    private static func largestInFront(_ layers: [LayerStatistics]) -> LayerStatistics? {
        layers.prefix(layers.lastIndex { $0.hasWeights } ?? 0).max { $0.signalPerEntry ?? 0 < $1.signalPerEntry ?? 0 }
    }

    /// Of each layer inside a residual that in front of the last with weights of its branch, by index; nil of those behind it, and outside.
    private static func branchEnds(of layers: [LayerStatistics]) -> [Int?] {
        enum End { case next, found(Int) }
        var ends: [Substring: End] = [:], places: [Int?] = Array(repeating: nil, count: layers.count)
        for i in layers.indices.reversed() {
            guard let branch = layers[i].branch else { continue }
            switch ends[branch] {
            case nil where layers[i].hasWeights: ends[branch] = .next
            case nil: break
            case .next: ends[branch] = .found(i)
            case .found(let end): places[i] = end
            }
        }
        return places
    }

    private mutating func see(_ kind: Alarm.Kind, _ affected: [Affected], of layers: Int) -> Alarm? {
        let before = lasts[kind] ?? [:]
        let now = Dictionary(uniqueKeysWithValues: affected.map { ($0.name, min((before[$0.name] ?? 0) + 1, Self.lasting)) })
        lasts[kind] = now.isEmpty ? nil : now
        let lasting = affected.filter { now[$0.name] == Self.lasting }
        guard lasting.count >= max(1, 2 * (warned[kind] ?? 0)), let worst = lasting.max(by: { $0.severity < $1.severity }) else { return nil }
        warned[kind] = lasting.count
        return Alarm(kind: kind, layer: worst.name, message: Self.message(kind, worst, lasting.count, of: layers))
    }

    private static func message(_ kind: Alarm.Kind, _ worst: Affected, _ count: Int, of layers: Int) -> String {
        func short(_ value: Double) -> String {
            let text = String(format: "%.2g", value)
            return value >= 1e6 ? text.replacing(/e\+0*/, with: "e") : JSON.number(Double(text) ?? value).line
        }
        let most = count == 1 ? worst.name : "\(count) of \(layers) layers, most in \(worst.name)", other = worst.beside ?? "the last layer"
        func state(_ adjective: String) -> String {
            count == 1 ? "\(worst.name) is \(adjective)" : "\(count) of \(layers) layers are \(adjective), \(worst.name) the most"
        }
        switch kind {
        case .vanishing:
            return "the gradient vanishes in \(most): there it is " + (worst.severity.isFinite ? "\(short(1 / worst.severity)) times that of \(other)" : "0")
        case .exploding: return "the gradient explodes in \(most): there it is \(short(worst.severity)) times that of \(other)"
        case .saturated: return "\(state("saturated")): \(percent(worst.severity)) of its entries have a slope below a twentieth of the largest"
        case .dead: return "\(state("dead")): \(percent(worst.severity)) of its units have a slope of 0 for the whole batch"
        case .clipping: return ""
        }
    }

    private static func percent(_ share: Double) -> String { String(format: "%.0f %%", share * 100) }

    // MARK: In a checkpoint

    /// Of each kind, how many layers it was warned of in, and those that it holds in with their steps in a row: "2 0.linear:3 2.linear:1". Of clipping, whether
    /// it was warned of, and how many of how many steps were clipped: "0 17 60".
    public var metadata: [String: String] {
        Dictionary(uniqueKeysWithValues: Alarm.Kind.allCases.compactMap { kind in
            let layers = (lasts[kind] ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }
            let words = ["\(warned[kind] ?? 0)"] + (kind == .clipping && seen > 0 ? ["\(clipped)", "\(seen)"] : layers)
            return words == ["0"] ? nil : (Self.key(kind), words.joined(separator: " "))
        })
    }

    /// - Throws: `FathomError.invalid` where a checkpoint's metadata hold something else. What they lack has not been seen.
    public init(_ metadata: [String: String], name: String) throws {
        for kind in Alarm.Kind.allCases {
            guard let text = metadata[Self.key(kind)] else { continue }
            guard read(text.split(separator: " "), of: kind) else {
                throw FathomError.invalid("\(name): its metadata say '\(text)' of '\(Self.key(kind))', which cannot be")
            }
        }
    }

    private static func key(_ kind: Alarm.Kind) -> String { "alarm_\(kind.rawValue)" }

    private mutating func read(_ words: [Substring], of kind: Alarm.Kind) -> Bool {
        func count(_ text: Substring?, _ range: ClosedRange<Int>) -> Int? { text.flatMap { Int($0) }.flatMap { range.contains($0) ? $0 : nil } }
        guard let number = count(words.first, 0...Int.max / 2) else { return false }
        warned[kind] = number == 0 ? nil : number
        if kind == .clipping {
            guard words.count > 1 else { return true }
            guard words.count == 3, let of = count(words[2], 1...Self.clippedSteps - 1), let how = count(words[1], 0...of) else { return false }
            (clipped, seen) = (how, of)
            return true
        }
        for word in words.dropFirst() {
            guard let colon = word.lastIndex(of: ":"), let steps = count(word[word.index(after: colon)...], 1...Self.lasting) else { return false }
            lasts[kind, default: [:]][String(word[..<colon])] = steps
        }
        return true
    }

    // MARK: Clipping

    /// - Returns: an alarm the first time that more than half of a hundred steps were clipped.
    public mutating func see(clipped isClipped: Bool) -> Alarm? {
        seen += 1
        clipped += isClipped ? 1 : 0
        guard seen == Self.clippedSteps else { return nil }
        defer { (seen, clipped) = (0, 0) }
        guard clipped > Self.clippedSteps / 2, warned[.clipping] == nil else { return nil }
        warned[.clipping] = 1
        return Alarm(
            kind: .clipping, layer: nil,
            message: "\(clipped) of the last \(Self.clippedSteps) steps were clipped: clipping sets the step size now; a larger limit or a smaller learning rate would not")
    }

    /// - Returns: an alarm where clipping was asked for and never needed.
    public func end(steps: Int, clipRate: Double?) -> Alarm? {
        guard steps >= Self.clippedSteps, clipRate == 0 else { return nil }
        return Alarm(kind: .clipping, layer: nil, message: "no step was clipped in \(steps): the limit is above every gradient of this run")
    }
}

extension LayerStatistics {
    /// "1.3" of "1.3.linear".
    fileprivate var path: Substring { name[..<(name.utf8.lastIndex(of: UInt8(ascii: ".")) ?? name.startIndex)] }

    /// The residual whose branch it is in, "1" of "1.3.linear": only residuals have an inside. nil of "0.linear".
    fileprivate var branch: Substring? {
        let path = path
        return path.utf8.lastIndex(of: UInt8(ascii: ".")).map { path[..<$0] }
    }

    /// Whether it multiplies by a matrix, of those with parameters.
    fileprivate var hasWeights: Bool { !name.hasSuffix("norm") && !name.hasSuffix(".residual") }

    /// How many times as large as another's its gradient is; nil where that is 0 or neither is known.
    fileprivate func gain(from other: LayerStatistics) -> Double? {
        guard let signalPerEntry, let reference = other.signalPerEntry, reference > 0 else { return nil }
        return signalPerEntry / reference
    }

    /// The root of the mean square of ∂L/∂h.
    fileprivate var signalPerEntry: Double? { signalGradientNorm.map { $0 / Double(max(1, entries)).squareRoot() } }
}
