import Foundation

/// What an axis measures, and how.
public struct Axis: Sendable, Hashable {
    public enum Scale: Sendable, Hashable { case linear, logarithmic }

    /// With the unit, where there is one: "time, s".
    public var label: String
    public var scale: Scale
    /// What is shown; nil: all that is drawn. What lies outside is cut off.
    public var range: ClosedRange<Double>?
    /// What no value can lie beyond, so that no room is left there; nil: there is no such thing.
    public var limits: ClosedRange<Double>?
    /// Whether only whole numbers are marked, as of things that are counted.
    public var isWhole: Bool

    public init(_ label: String, _ scale: Scale = .linear, range: ClosedRange<Double>? = nil, limits: ClosedRange<Double>? = nil, isWhole: Bool = false) {
        (self.label, self.scale, self.range, self.limits, self.isWhole) = (label, scale, range, limits, isWhole)
    }

    /// Of shares: from 0 to a little above the largest, to 1 where all are 0.
    public static func share(_ label: String, of values: some Sequence<Double>) -> Axis {
        let largest = values.filter(\.isFinite).max() ?? 0
        return Axis(label, range: 0...(largest > 0 ? min(1.02, 1.06 * largest) : 1.02))
    }

    /// Of things that stand in a row, the first of them 1.
    public static func places(_ label: String, _ count: Int) -> Axis { Axis(label, range: 1...Double(max(1, count)), isWhole: true) }
}

/// An axis laid over a length of the figure.
struct Ruler {
    let scale: Axis.Scale
    private let isWhole: Bool
    /// Of what is shown; of a logarithmic axis log₁₀ of it.
    let lower: Double, upper: Double
    /// Places in the figure of `lower` and `upper`.
    let start: Double, end: Double

    /// - Parameter values: what must be seen; those that are not finite, or that have no logarithm, are passed over.
    init(_ axis: Axis, _ values: some Sequence<Double>, from start: Double, to end: Double, padding: Double = 0.04) {
        (scale, isWhole, self.start, self.end) = (axis.scale, axis.isWhole, start, end)
        var low = Double.infinity, high = -Double.infinity
        for value in values {
            let value = Self.transformed(value, axis.scale)
            guard value.isFinite else { continue }
            low = min(low, value)
            high = max(high, value)
        }
        var pad = padding
        if let range = axis.range, case let (a, b) = (Self.transformed(range.lowerBound, axis.scale), Self.transformed(range.upperBound, axis.scale)),
            a.isFinite, b.isFinite {
            (low, high, pad) = (a, b, 0)
        }
        if low > high { (low, high) = axis.scale == .linear ? (0, 1) : (-1, 1) }
        // Halves, since a difference of float64s may be beyond float64.
        let room = (high / 2 - low / 2) * 2 * pad
        if high - low <= max(abs(low), abs(high)) * 1e-12 {
            let half = axis.scale == .linear ? max(abs(low) * 0.1, low == 0 ? 1 : 0) : 0.5
            (low, high) = (low - half, high + half)
        } else if room.isFinite {
            (low, high) = (max(low - room, -Self.largest), min(high + room, Self.largest))
        }
        if let limits = axis.limits {
            (low, high) = (max(low, Self.transformed(limits.lowerBound, axis.scale)), min(high, Self.transformed(limits.upperBound, axis.scale)))
        }
        (lower, upper) = (low, high)
    }

    private static let largest = 4e307

    private static func transformed(_ value: Double, _ scale: Axis.Scale) -> Double {
        switch scale {
        case .linear: min(max(value, -largest), largest) + (value.isFinite ? 0 : .nan)
        case .logarithmic: value > 0 ? log10(value) : .nan
        }
    }

    /// Where a value stands; nil of a gap.
    func position(_ value: Double) -> Double? {
        let value = Self.transformed(value, scale)
        guard value.isFinite else { return nil }
        let share = (value / 2 - lower / 2) / (upper / 2 - lower / 2)
        // Far outside is as good as a little outside, and can be written.
        return start + (end - start) * min(max(share, -10), 10)
    }

    // MARK: Ticks

    /// Values worth marking, at most about `count`, with their texts.
    func ticks(_ count: Int) -> [(value: Double, text: String)] {
        scale == .linear ? Self.linearTicks(lower, upper, count, least: isWhole ? 1 : 0) : logarithmicTicks(count)
    }

    /// Of those ticks, along an axis from left to right, as many as have room for their texts.
    func roomyTicks(_ count: Int) -> [(value: Double, text: String)] {
        var ticks = ticks(count)
        while ticks.count > 2, isCrowded(ticks) { ticks = ticks.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element) }
        return ticks
    }

    private func isCrowded(_ ticks: [(value: Double, text: String)]) -> Bool {
        zip(ticks, ticks.dropFirst()).contains { a, b in
            guard let p = position(a.value), let q = position(b.value) else { return false }
            return q - p < Double(a.text.count + b.text.count) / 2 * Drawing.digit + 8
        }
    }

    /// The next of 1, 2 or 5 times a power of ten.
    private static func step(_ rough: Double) -> Double {
        let power = pow(10, log10(rough).rounded(.down)), digit = rough / power
        return power * (digit <= 1.0000001 ? 1 : digit <= 2.0000001 ? 2 : digit <= 5.0000001 ? 5 : 10)
    }

    /// Multiples of a step.
    /// - Parameter least: the smallest step.
    static func linearTicks(_ lower: Double, _ upper: Double, _ count: Int, least: Double = 0) -> [(value: Double, text: String)] {
        let rough = (upper / Double(count) - lower / Double(count))
        guard rough > 0, rough.isFinite else { return [] }
        let step = max(step(rough), least)
        guard step > 0, step.isFinite else { return [] }
        let first = (lower / step - 1e-9).rounded(.up), last = (upper / step + 1e-9).rounded(.down)
        guard last >= first, last - first < 100, abs(first) < 1e15, abs(last) < 1e15 else { return [] }
        return stride(from: first, through: last, by: 1).map { ($0 * step, text($0 * step, step: step, largest: max(abs(first), abs(last)) * step)) }
    }

    /// A multiple of `step` with the decimals that the step has, in powers of ten where there would be too many digits.
    private static func text(_ value: Double, step: Double, largest: Double) -> String {
        let exponent = Int(log10(step * 1.0000001).rounded(.down))
        if largest >= 1e6 || exponent < -5 {
            guard value != 0 else { return "0" }
            let digits = max(0, Int(log10(abs(value) * 1.0000001).rounded(.down)) - exponent)
            let parts = String(format: "%.\(min(digits, 15))e", value).split(separator: "e")
            return "\(parts[0])e\(Int(parts[1]) ?? 0)"
        }
        return String(format: "%.\(max(0, -exponent))f", value == 0 ? 0 : value)
    }

    /// Powers of ten; on a short axis twice and five times them too, on one shorter still what a linear axis would mark.
    private func logarithmicTicks(_ count: Int) -> [(value: Double, text: String)] {
        let decades = upper - lower
        if decades < 1 {
            return Self.linearTicks(pow(10, lower), pow(10, upper), count).filter { $0.value > 0 }
        }
        let every = Self.step(max(1, decades / Double(count))), factors = decades < 2.5 ? [1.0, 2, 5] : [1]
        let powers = stride(from: (lower / every - 1).rounded(.down) * every, through: upper, by: every)
        let isPlain = lower >= -3.3 && upper <= 4.3
        return powers.flatMap { power in factors.map { (power + log10($0), power, $0) } }.filter { $0.0 >= lower - 1e-9 && $0.0 <= upper + 1e-9 }
            .map { log, power, factor in
                let plain = String(format: "%.\(max(0, Int(-power)))f", pow(10, power) * factor)
                return (pow(10, log), isPlain ? plain : (factor == 1 ? "" : "\(Int(factor))·") + "10" + Self.superscript(Int(power)))
            }
    }

    static func superscript(_ number: Int) -> String {
        let digits = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
        return String(String(number).map { character in character.wholeNumberValue.map { digits[$0] } ?? "⁻" })
    }
}
