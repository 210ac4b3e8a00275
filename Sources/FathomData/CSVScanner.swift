import Fathom

/// Where a field's content lies.
struct CSVField {
    /// Between the quotes where quoted, else without white space at either end.
    var start: Int
    var end: Int
    /// The content has doubled quotes, each of which stands for one.
    var hasDoubledQuotes = false
    /// The line on which it begins, from 1.
    var line: Int

    func text(in bytes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        guard hasDoubledQuotes else { return Array(bytes[start ..< end]) }
        var result: [UInt8] = [], p = start
        while p < end {
            result.append(bytes[p])
            p += bytes[p] == 0x22 ? 2 : 1
        }
        return result
    }

    /// For messages: at most 40 characters of it.
    func excerpt(in bytes: UnsafeBufferPointer<UInt8>) -> String {
        let text = String(decoding: bytes[start ..< min(end, start + 200)], as: UTF8.self)
        return text.count <= 40 ? text : text.prefix(40) + "…"
    }
}

/// The fields of a CSV (RFC 4180), one after the other: commas, quotes, doubled quotes and line ends inside quotes; lines end in LF, CRLF
/// or CR. A quote inside an unquoted field is a character like any other.
struct CSVScanner {
    let bytes: UnsafeBufferPointer<UInt8>
    let name: String
    private(set) var position: Int
    /// The line at `position`, from 1.
    private(set) var line = 1

    init(_ bytes: UnsafeBufferPointer<UInt8>, name: String) {
        self.bytes = bytes
        self.name = name
        position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    }

    /// Nothing but empty lines is left.
    var isAtEnd: Bool { bytes[position...].allSatisfy { $0 == 0x0A || $0 == 0x0D } }

    /// The record at `position` is an empty line.
    var isAtEmptyLine: Bool { position < bytes.count && (bytes[position] == 0x0A || bytes[position] == 0x0D) }

    /// A plain number that fills the field at `position`, and whether it ends the record; nil, without a move, for anything else.
    @inline(__always)
    mutating func nextFloat() -> (value: Float, endsRecord: Bool)? {
        var p = position
        guard let value = scanFloat(bytes, &p, end: bytes.count), p == bytes.count || isDelimiter(bytes[p]) else { return nil }
        position = p
        return (value, endField())
    }

    /// The field at `position`, and whether it ends the record.
    mutating func nextField() throws(FathomError) -> (field: CSVField, endsRecord: Bool) {
        if position < bytes.count, bytes[position] == 0x22 { return try nextQuotedField() }
        var field = CSVField(start: position, end: position, line: line)
        while position < bytes.count, !isDelimiter(bytes[position]) { position += 1 }
        field.end = position
        while field.start < field.end, isBlank(bytes[field.start]) { field.start += 1 }
        while field.start < field.end, isBlank(bytes[field.end - 1]) { field.end -= 1 }
        return (field, endField())
    }

    private mutating func nextQuotedField() throws(FathomError) -> (field: CSVField, endsRecord: Bool) {
        var field = CSVField(start: position + 1, end: position + 1, line: line)
        position += 1
        while true {
            guard position < bytes.count else { throw .invalid("\(name):\(field.line): the quoted field that begins here is never closed") }
            switch bytes[position] {
            case 0x22 where position + 1 < bytes.count && bytes[position + 1] == 0x22:
                field.hasDoubledQuotes = true
                position += 1
            case 0x22:
                field.end = position
                position += 1
                guard position == bytes.count || isDelimiter(bytes[position]) else {
                    throw .invalid("\(name):\(line): there is text after the closing quote of \"\(field.excerpt(in: bytes))\"; "
                        + "a quote inside a quoted field is written twice")
                }
                return (field, endField())
            case 0x0A: line += 1
            case 0x0D where position + 1 == bytes.count || bytes[position + 1] != 0x0A: line += 1
            default: break
            }
            position += 1
        }
    }

    /// Moves over the comma or line end at `position`; true for the latter, and for the end of the bytes.
    @inline(__always)
    private mutating func endField() -> Bool {
        guard position < bytes.count else { return true }
        let delimiter = bytes[position]
        position += 1
        if delimiter == 0x2C { return false }
        if delimiter == 0x0D, position < bytes.count, bytes[position] == 0x0A { position += 1 }
        line += 1
        return true
    }
}

@inline(__always) private func isDelimiter(_ byte: UInt8) -> Bool { byte == 0x2C || byte == 0x0A || byte == 0x0D }
@inline(__always) private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
