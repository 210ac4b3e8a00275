import Fathom

/// A NumPy array file: magic, version, a header that is a Python dictionary, then the values (NEP 1, "A Simple File Format for NumPy
/// Arrays"). Little-endian, in C order.
struct NPYArray {
    enum Values {
        case bytes([UInt8])
        case floats([Float])
        case numbers([Double])
    }

    var shape: [Int]
    var values: Values

    static func parse(_ bytes: [UInt8], name: String) throws(FathomError) -> NPYArray {
        guard bytes.starts(with: [0x93] + Array("NUMPY".utf8)), bytes.count >= 12 else { throw .invalid("\(name) is not a NumPy array: its first bytes are not \\x93NUMPY") }
        let isFirst = bytes[6] == 1, start = isFirst ? 10 : 12
        guard 1 ... 3 ~= bytes[6] else { throw .invalid("\(name) is of NumPy's format version \(bytes[6]); 1 to 3 can be read") }
        let length = bytes[8 ..< start].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard bytes.count - start >= length else { throw .invalid("\(name) is cut short: its header ends in the middle") }
        let header = String(decoding: bytes[start ..< start + length], as: UTF8.self)
        guard let type = header.firstMatch(of: /'descr'\s*:\s*'([^']*)'/)?.1, let order = header.firstMatch(of: /'fortran_order'\s*:\s*(True|False)/)?.1,
              let sizes = header.firstMatch(of: /'shape'\s*:\s*\(([0-9,\s]*)\)/)?.1 else {
            throw .invalid("\(name) has a header that cannot be read: \(shortened(header))")
        }
        var shape: [Int] = []
        for size in sizes.split(separator: ",") {
            let digits = size.trimmingPrefix(while: \.isWhitespace).prefix(while: \.isNumber)
            if digits.isEmpty { continue }
            guard let size = Int(digits) else { throw .invalid("\(name) has a size of \(digits), which is more than fits here") }
            shape.append(size)
        }
        guard order == "False" || shape.count <= 1 else { throw .invalid("\(name) is in Fortran order; save it with numpy.ascontiguousarray") }
        guard let element = elements[String(type)] else {
            throw .invalid("\(name) holds values of type '\(shortened(String(type)))'; expected \(elements.keys.sorted().joined(separator: ", "))")
        }
        var count = 1, overflow = false
        for size in shape where !overflow { (count, overflow) = count.multipliedReportingOverflow(by: size) }
        let there = bytes.count - start - length
        guard !overflow, !count.multipliedReportingOverflow(by: element.size).overflow, there >= count * element.size else {
            throw .invalid("\(name) is cut short: \(described(shape)) values of \(element.size) bytes are more than the \(there) bytes there")
        }
        guard there == count * element.size else {
            throw .invalid("\(name) has \(there - count * element.size) bytes after its \(described(shape)) values")
        }
        let body = Array(bytes[(start + length)...])
        return NPYArray(shape: shape, values: body.withUnsafeBytes { element.read($0, count) })
    }

    /// Row-major features.
    func features(_ name: String) throws(FathomError) -> Samples.Features {
        switch values {
        case .bytes(let bytes): return .bytes(bytes)
        case .floats(let floats):
            if let wrong = floats.firstIndex(where: { !$0.isFinite }) { throw notFinite(wrong, name, "\(floats[wrong])") }
            return .floats(floats)
        case .numbers(let numbers):
            if let wrong = numbers.firstIndex(where: { !Float($0).isFinite }) { throw notFinite(wrong, name, "\(numbers[wrong])") }
            return .floats(numbers.map { Float($0) })
        }
    }

    func numbers(_ name: String) throws(FathomError) -> [Double] {
        let numbers: [Double] = switch values {
        case .bytes(let bytes): bytes.map { Double($0) }
        case .floats(let floats): floats.map { Double($0) }
        case .numbers(let numbers): numbers
        }
        if let wrong = numbers.firstIndex(where: { !Float($0).isFinite }) { throw notFinite(wrong, name, "\(numbers[wrong])") }
        return numbers
    }

    /// Python's way of naming an element, as in `x[12, 3]`.
    private func notFinite(_ index: Int, _ name: String, _ value: String) -> FathomError {
        var rest = index, place: [String] = []
        for size in shape.reversed() {
            place.append("\(rest % size)")
            rest /= size
        }
        return .invalid("\(name)[\(place.reversed().joined(separator: ", "))] is \(value), not a finite 32-bit number")
    }
}

func described(_ shape: [Int]) -> String { shape.isEmpty ? "0-dimensional" : shape.map(String.init).joined(separator: "×") }

private struct Element: Sendable {
    var size: Int
    /// `count` values from the front of the bytes.
    var read: @Sendable (UnsafeRawBufferPointer, Int) -> NPYArray.Values

    static func integer<Value: FixedWidthInteger & Sendable>(_: Value.Type) -> Element {
        Element(size: MemoryLayout<Value>.size) { bytes, count in
            .numbers((0 ..< count).map { Double(Value(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Value>.size, as: Value.self))) })
        }
    }
}

private let elements: [String: Element] = [
    "|u1": Element(size: 1) { bytes, _ in .bytes(Array(bytes)) },
    "|b1": Element(size: 1) { bytes, _ in .bytes(Array(bytes)) },
    "|i1": .integer(Int8.self), "<i2": .integer(Int16.self), "<i4": .integer(Int32.self), "<i8": .integer(Int64.self),
    "<u2": .integer(UInt16.self), "<u4": .integer(UInt32.self), "<u8": .integer(UInt64.self),
    "<f4": Element(size: 4) { bytes, count in
        .floats((0 ..< count).map { Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self))) })
    },
    "<f8": Element(size: 8) { bytes, count in
        .numbers((0 ..< count).map { Double(bitPattern: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self))) })
    },
]
