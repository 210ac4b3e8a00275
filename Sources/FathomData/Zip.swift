import CZlib
import Fathom

/// The entries of a zip file, stored or deflated, zip64 included (PKWARE's APPNOTE 6.3.10, sections 4.3.7 to 4.3.16); checksums are checked.
struct ZipFile {
    private struct Entry {
        var method, packed, size, offset: Int
        var checksum: UInt32
    }

    private let bytes: [UInt8]
    private let path: String
    private var entries: [String: Entry] = [:]

    var names: [String] { entries.keys.sorted() }

    init(_ path: String) throws(FathomError) {
        self.path = path
        bytes = try readBytes(path)
        guard bytes.starts(with: [0x50, 0x4B]) else { throw .invalid("\(path) is not a zip file, which an .npz is") }
        guard let (directory, count) = findDirectory() else { throw .invalid("\(path) is cut short: the zip file has no directory at its end") }
        var position = directory
        for _ in 0 ..< count {
            guard number(position, 4) == 0x0201_4B50, let nameLength = number(position + 28, 2), let extraLength = number(position + 30, 2),
                  let commentLength = number(position + 32, 2), let flags = number(position + 8, 2), let name = bytes(position + 46, nameLength),
                  var entry = entry(position) else { throw damaged("the zip file's directory cannot be read") }
            guard flags & 1 == 0 else { throw .invalid("\(path) is encrypted") }
            try readZip64(&entry, from: position + 46 + nameLength, length: extraLength)
            entries[String(decoding: name, as: UTF8.self)] = entry
            position += 46 + nameLength + extraLength + commentLength
        }
    }

    /// An entry's content, unpacked.
    func content(_ name: String) throws(FathomError) -> [UInt8] {
        let label = "\(path): \(name)"
        guard let entry = entries[name], number(entry.offset, 4) == 0x0403_4B50, let nameLength = number(entry.offset + 26, 2),
              let extraLength = number(entry.offset + 28, 2), let packed = bytes(entry.offset + 30 + nameLength + extraLength, entry.packed) else {
            throw damaged("the entry \(name) is not where the directory says")
        }
        let content: [UInt8]
        switch entry.method {
        case 0 where entry.packed == entry.size: content = Array(packed)
        case 8:
            guard entry.size <= memoryLimit else { throw .tooLarge("\(label) unpacks to \(inGigabytes(entry.size)), which is more than fits here") }
            content = try inflate(Array(packed), name: label, size: entry.size)
        default: throw .invalid("\(label) is packed by method \(entry.method); stored and deflated entries can be read")
        }
        guard crc32(content) == entry.checksum else { throw .invalid("\(label) is damaged: its checksum is wrong") }
        return content
    }

    private func damaged(_ what: String) -> FathomError { .invalid("\(path) is damaged: \(what)") }

    /// Where the central directory begins, and its number of entries: the last record with that signature whose comment fits the file.
    private func findDirectory() -> (offset: Int, count: Int)? {
        for end in stride(from: bytes.count - 22, through: max(0, bytes.count - 22 - 65_535), by: -1) where number(end, 4) == 0x0605_4B50 {
            guard let count = number(end + 10, 2), let offset = number(end + 16, 4) else { return nil }
            guard count == 0xFFFF || offset == 0xFFFF_FFFF else { return (offset, count) }
            guard number(end - 20, 4) == 0x0706_4B50, let large = number(end - 12, 8), number(large, 4) == 0x0606_4B50,
                  let largeCount = number(large + 32, 8), let largeOffset = number(large + 48, 8) else { return nil }
            return (largeOffset, largeCount)
        }
        return nil
    }

    private func entry(_ position: Int) -> Entry? {
        guard let method = number(position + 10, 2), let checksum = number(position + 16, 4), let packed = number(position + 20, 4),
              let size = number(position + 24, 4), let offset = number(position + 42, 4) else { return nil }
        return Entry(method: method, packed: packed, size: size, offset: offset, checksum: UInt32(checksum))
    }

    /// Sizes and the offset that do not fit 32 bits stand in an extra field, in this order.
    private func readZip64(_ entry: inout Entry, from start: Int, length: Int) throws(FathomError) {
        guard [entry.size, entry.packed, entry.offset].contains(0xFFFF_FFFF) else { return }
        var position = start
        while let kind = number(position, 2), let size = number(position + 2, 2), position + 4 + size <= start + length {
            if kind == 1 {
                var value = position + 4
                for field in [\Entry.size, \Entry.packed, \Entry.offset] where entry[keyPath: field] == 0xFFFF_FFFF {
                    guard let large = number(value, 8) else { throw damaged("the zip file's directory cannot be read") }
                    entry[keyPath: field] = large
                    value += 8
                }
                return
            }
            position += 4 + size
        }
    }

    /// A little-endian number; nil beyond the file, or where it does not fit.
    private func number(_ position: Int, _ size: Int) -> Int? {
        guard let field = bytes(position, size) else { return nil }
        return Int(exactly: field.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    private func bytes(_ position: Int, _ count: Int) -> ArraySlice<UInt8>? {
        guard position >= 0, count >= 0, position <= bytes.count, count <= bytes.count - position else { return nil }
        return bytes[position ..< position + count]
    }
}

private func crc32(_ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBufferPointer { UInt32(truncatingIfNeeded: crc32_z(0, $0.baseAddress, $0.count)) }
}
