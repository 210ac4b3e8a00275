import Foundation

/// Reads JSON values out of bytes, one after another.
struct JSONReader {
    /// Where bytes are no JSON.
    struct Damage: Error {
        /// Of the byte that cannot stand there.
        let position: Int
        let problem: String
    }

    private let bytes: [UInt8]
    private let end: Int
    private(set) var position: Int

    init(_ bytes: [UInt8], _ range: Range<Int>) {
        (self.bytes, position, end) = (bytes, range.lowerBound, range.upperBound)
    }

    private func damage(_ problem: String) -> Damage { Damage(position: position, problem: problem) }

    @inline(__always)
    private mutating func skipSpace() {
        while position < end, bytes[position] == 0x20 || bytes[position] == 0x09 || bytes[position] == 0x0D || bytes[position] == 0x0A { position += 1 }
    }

    /// Takes `character`, if it comes next.
    @inline(__always)
    mutating func take(_ character: UInt8) -> Bool {
        skipSpace()
        guard position < end, bytes[position] == character else { return false }
        position += 1
        return true
    }

    /// Takes these very bytes, if they come next.
    @inline(__always)
    mutating func take(_ text: [UInt8]) -> Bool {
        guard end - position >= text.count else { return false }
        let isNext = unsafe bytes.withUnsafeBytes { bytes in
            unsafe text.withUnsafeBytes { text in unsafe memcmp(bytes.baseAddress! + position, text.baseAddress!, text.count) == 0 }
        }
        if isNext { position += text.count }
        return isNext
    }

    @inline(__always)
    mutating func expect(_ character: UInt8) throws(Damage) {
        guard take(character) else { throw damage(position < end ? "'\(Character(Unicode.Scalar(character)))' is missing" : "the line ends too early") }
    }

    /// Only white space is left.
    mutating func expectEnd() throws(Damage) {
        skipSpace()
        guard position == end else { throw damage("something follows the end") }
    }

    // MARK: Objects and arrays, member by member

    /// The next member's key, after which its value is to be read; nil, past the bracket, where there is none.
    /// - Parameter isFirst: true before the first; the opening bracket has been taken.
    @inline(__always)
    mutating func nextKey(_ isFirst: inout Bool) throws(Damage) -> Range<Int>? {
        if take(0x7D) { return nil }
        if !isFirst { try expect(0x2C) }
        isFirst = false
        try expect(0x22)
        let start = position
        while position < end, bytes[position] != 0x22 { position += bytes[position] == 0x5C ? 2 : 1 }
        guard position < end else { throw damage("a text does not end") }
        let key = start..<position
        position += 1
        try expect(0x3A)
        return key
    }

    /// Whether an element follows; else the bracket has been passed.
    @inline(__always)
    mutating func nextElement(_ isFirst: inout Bool) throws(Damage) -> Bool {
        if take(0x5D) { return false }
        if !isFirst { try expect(0x2C) }
        isFirst = false
        return true
    }

    /// Whether the bytes of `range` are those of `text`.
    @inline(__always)
    func matches(_ range: Range<Int>, _ text: [UInt8]) -> Bool {
        guard range.count == text.count else { return false }
        for index in 0..<text.count where bytes[range.lowerBound + index] != text[index] { return false }
        return true
    }

    /// A text without escapes, as its bytes stand.
    func plainText(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    /// A text's bytes, if a text comes next and nothing in it is escaped.
    mutating func plainString() throws(Damage) -> Range<Int>? {
        let start = position
        guard take(0x22) else { return nil }
        let first = position
        while position < end, bytes[position] != 0x22, bytes[position] != 0x5C { position += 1 }
        guard position < end, bytes[position] == 0x22 else {
            position = start
            return nil
        }
        position += 1
        return first..<position - 1
    }

    // MARK: Values

    /// A number, of up to 19 digits rounded once; NaN of null, which is how JSON has what is not finite.
    mutating func number() throws(Damage) -> Double {
        skipSpace()
        let start = position
        if word("null") { return .nan }
        var p = position, isNegative = false, mantissa: UInt64 = 0, digits = 0, exponent = 0
        if p < end, bytes[p] == 0x2D {
            isNegative = true
            p += 1
        }
        let first = p
        while p < end, case let digit = bytes[p] &- 0x30, digit < 10 {
            if digits < 19 { mantissa = mantissa * 10 + UInt64(digit) } else { exponent += 1 }
            if mantissa != 0 { digits += 1 }
            p += 1
        }
        guard p > first else { throw damage("a number is missing") }
        if p < end, bytes[p] == 0x2E {
            p += 1
            let point = p
            while p < end, case let digit = bytes[p] &- 0x30, digit < 10 {
                if digits < 19 { (mantissa, exponent) = (mantissa * 10 + UInt64(digit), exponent - 1) }
                if mantissa != 0 { digits += 1 }
                p += 1
            }
            guard p > point else { throw damage("a number ends in its point") }
        }
        if p < end, bytes[p] | 0x20 == 0x65 {
            p += 1
            var isBelow = false, written = 0
            if p < end, bytes[p] == 0x2D || bytes[p] == 0x2B {
                isBelow = bytes[p] == 0x2D
                p += 1
            }
            let first = p
            while p < end, case let digit = bytes[p] &- 0x30, digit < 10 {
                written = min(written * 10 + Int(digit), 100_000)
                p += 1
            }
            guard p > first else {
                position = start
                throw damage("a number has no exponent")
            }
            exponent += isBelow ? -written : written
        }
        position = p
        let size = decimal(mantissa, exponent)
        return isNegative ? -size : size
    }

    @inline(__always)
    private mutating func word(_ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard position + length <= end else { return false }
        for index in 0..<length where unsafe bytes[position + index] != word.utf8Start[index] { return false }
        position += length
        return true
    }

    /// Deeper than anything of ours, so that no file can use up the stack.
    private static let mostDepth = 32

    /// Whatever value comes next.
    mutating func value(depth: Int = 0) throws(Damage) -> JSON {
        guard depth < Self.mostDepth else { throw damage("brackets within brackets too deep") }
        skipSpace()
        guard position < end else { throw damage("the line ends too early") }
        switch bytes[position] {
        case 0x22: return .string(try string())
        case 0x7B:
            position += 1
            var members: [JSON.Member] = [], isFirst = true
            while !take(0x7D) {
                if !isFirst { try expect(0x2C) }
                isFirst = false
                let key = try string()
                try expect(0x3A)
                members.append(.init(key, try value(depth: depth + 1)))
            }
            return .object(members)
        case 0x5B:
            position += 1
            var elements: [JSON] = [], isFirst = true
            while try nextElement(&isFirst) { elements.append(try value(depth: depth + 1)) }
            return .array(elements)
        default:
            if word("null") { return .null }
            if word("true") { return .boolean(true) }
            if word("false") { return .boolean(false) }
            let start = position, number = try number(), text = String(decoding: bytes[start..<position], as: UTF8.self)
            return Int(text).map(JSON.integer) ?? UInt64(text).map(JSON.unsigned) ?? .number(Double(text) ?? number)
        }
    }

    private mutating func string() throws(Damage) -> String {
        if let plain = try plainString() { return plainText(plain) }
        try expect(0x22)
        var text: [UInt8] = []
        while position < end, bytes[position] != 0x22 {
            guard bytes[position] == 0x5C else {
                text.append(bytes[position])
                position += 1
                continue
            }
            text += try escape()
        }
        try expect(0x22)
        return String(decoding: text, as: UTF8.self)
    }

    /// What an escape stands for, in UTF-8.
    private mutating func escape() throws(Damage) -> [UInt8] {
        guard position + 1 < end else { throw damage("a text does not end") }
        let letter = bytes[position + 1]
        let plain: [UInt8: UInt8] = [0x22: 0x22, 0x5C: 0x5C, 0x2F: 0x2F, 0x62: 8, 0x66: 12, 0x6E: 10, 0x72: 13, 0x74: 9]
        if let byte = plain[letter] {
            position += 2
            return [byte]
        }
        guard letter == 0x75 else { throw damage("'\\\(Character(Unicode.Scalar(letter)))' means nothing") }
        var units = [try codeUnit()]
        if UTF16.isLeadSurrogate(units[0]), position + 1 < end, bytes[position] == 0x5C, bytes[position + 1] == 0x75 { units.append(try codeUnit()) }
        return Array(String(decoding: units, as: UTF16.self).utf8)
    }

    /// `\uXXXX`.
    private mutating func codeUnit() throws(Damage) -> UInt16 {
        guard position + 6 <= end, let unit = UInt16(String(decoding: bytes[position + 2..<position + 6], as: UTF8.self), radix: 16) else {
            throw damage("'\\u' needs four hexadecimal digits")
        }
        position += 6
        return unit
    }
}
