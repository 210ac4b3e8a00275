/// A JSON value as it is written: members keep their order, numbers are shortest and read back to the same bits.
public enum JSON: Sendable, Equatable {
    case null
    case boolean(Bool)
    case integer(Int)
    case unsigned(UInt64)
    case number(Double)
    case float(Float)
    case string(String)
    case array([JSON])
    case object([Member])
    /// A value as it is written already.
    case written([UInt8])

    public struct Member: Sendable, Equatable {
        public let key: String
        public let value: JSON

        public init(_ key: String, _ value: JSON) {
            self.key = key
            self.value = value
        }
    }

    /// The value on one line. A member that is not finite is null, and the member after it says why:
    /// `"loss":null, "loss_reason":"nan"`. In an array it is null alone.
    public var line: String { String(decoding: bytes, as: UTF8.self) }

    /// The same in UTF-8, in which it is written.
    public var bytes: [UInt8] {
        var text: [UInt8] = []
        write(to: &text)
        return text
    }

    /// A number; where there is none null, with the reason beside it.
    public static func members(_ key: String, _ value: Double?, reason: String) -> [Member] {
        value.map { [Member(key, .number($0))] } ?? [Member(key, nil), Member(key + "_reason", .string(reason))]
    }

    /// A string as it is, without quotes; anything else as its line.
    public var plainText: String { if case .string(let text) = self { text } else { line } }

    private func write(to text: inout [UInt8]) {
        switch self {
        case .null: text += "null".utf8
        case .boolean(let value): text += (value ? "true" : "false").utf8
        case .integer(let value): text += String(value).utf8
        case .unsigned(let value): text += String(value).utf8
        case .number(let value): Self.write(value, to: &text)
        case .float(let value): Self.write(value, to: &text)
        case .string(let value): Self.write(value, to: &text)
        case .written(let value): text += value
        case .array(let values):
            text.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { text += ", ".utf8 }
                value.write(to: &text)
            }
            text.append(UInt8(ascii: "]"))
        case .object(let members):
            text.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { text += ", ".utf8 }
                Self.write(member.key, to: &text)
                text.append(UInt8(ascii: ":"))
                member.value.write(to: &text)
                if let reason = member.value.whyNotFinite {
                    text += ", ".utf8
                    Self.write(member.key + "_reason", to: &text)
                    text += ":\"\(reason)\"".utf8
                }
            }
            text.append(UInt8(ascii: "}"))
        }
    }

    /// "nan", "inf" or "-inf"; nil for what JSON can write.
    private var whyNotFinite: String? {
        switch self {
        case .number(let value) where !value.isFinite: value.isNaN ? "nan" : value > 0 ? "inf" : "-inf"
        case .float(let value) where !value.isFinite: value.isNaN ? "nan" : value > 0 ? "inf" : "-inf"
        default: nil
        }
    }

    /// Swift's description is the shortest that reads back; a whole number needs no ".0", but −0 would lose its sign as an integer.
    static func write<Value: BinaryFloatingPoint & CustomStringConvertible>(_ value: Value, to text: inout [UInt8]) {
        text += (value.isFinite ? value.description : "null").utf8
        let endsInZero = text[text.count - 1] == UInt8(ascii: "0") && text[text.count - 2] == UInt8(ascii: ".")
        if endsInZero && !(value == 0 && value.sign == .minus) { text.removeLast(2) }
    }

    private static func write(_ string: String, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "\""))
        defer { text.append(UInt8(ascii: "\"")) }
        guard string.utf8.contains(where: { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }) else {
            text += string.utf8
            return
        }
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\"".utf8
            case "\\": text += "\\\\".utf8
            case "\n": text += "\\n".utf8
            case "\r": text += "\\r".utf8
            case "\t": text += "\\t".utf8
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                text += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
            default: text += String(scalar).utf8
            }
        }
    }
}

extension JSON: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByStringLiteral, ExpressibleByStringInterpolation,
    ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral {
    public init(dictionaryLiteral elements: (String, JSON)...) { self = .object(elements.map { Member($0.0, $0.1) }) }
    public init(arrayLiteral elements: JSON...) { self = .array(elements) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
    public init(nilLiteral: ()) { self = .null }
}

extension JSON {
    /// A member of an object, by its key; nil where there is none or it is null.
    subscript(key: String) -> JSON? {
        guard case .object(let members) = self, let value = members.first(where: { $0.key == key })?.value, value != .null else { return nil }
        return value
    }

    var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .number(let value): value
        case .float(let value): Double(value)
        default: nil
        }
    }

    var integer: Int? { if case .integer(let value) = self { value } else { nil } }
    var string: String? { if case .string(let value) = self { value } else { nil } }
}
