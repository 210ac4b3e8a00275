import Fathom
import Foundation
import Testing
@testable import FathomData

/// A NumPy array file of version 1.
private func npy(_ type: String, _ shape: String, _ body: [UInt8], order: String = "False") -> [UInt8] {
    var header = "{'descr': '\(type)', 'fortran_order': \(order), 'shape': (\(shape)), }"
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count & 0xFF), UInt8(header.utf8.count >> 8)] + Array(header.utf8) + body
}

private func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
private func floats(_ values: Float...) -> [UInt8] { values.flatMap { little($0.bitPattern) } }

/// CRC-32 bit by bit, from its definition.
private func crc(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(~0) { crc, byte in (0 ..< 8).reduce(crc ^ UInt32(byte)) { rest, _ in rest & 1 == 1 ? rest >> 1 ^ 0xEDB8_8320 : rest >> 1 } }
}

/// A zip file; a gzip file's body is a deflate stream.
private func zip(_ entries: [(String, [UInt8])], deflated: Bool = false, method: UInt16? = nil, flags: UInt16 = 0, zip64: Bool = false) throws -> [UInt8] {
    var file: [UInt8] = [], directory: [UInt8] = []
    for (name, content) in entries {
        let body = deflated ? try Array(gzip(content).dropFirst(10).dropLast(8)) : content
        let sizes = zip64 ? little(UInt32.max) + little(UInt32.max) : little(UInt32(body.count)) + little(UInt32(content.count))
        let extra = zip64 ? little(UInt16(1)) + little(UInt16(24)) + little(UInt64(content.count)) + little(UInt64(body.count)) + little(UInt64(file.count)) : []
        let common = little(UInt16(45)) + little(flags) + little(method ?? (deflated ? 8 : 0)) + little(UInt32(0)) + little(crc(content)) + sizes
            + little(UInt16(name.utf8.count))
        directory += [0x50, 0x4B, 1, 2, 45, 0] + common + little(UInt16(extra.count)) + [UInt8](repeating: 0, count: 10)
            + little(zip64 ? UInt32.max : UInt32(file.count)) + Array(name.utf8) + extra
        file += [0x50, 0x4B, 3, 4] + common + little(UInt16(0)) + Array(name.utf8) + body
    }
    var end: [UInt8] = []
    if zip64 {
        end += [0x50, 0x4B, 6, 6] + little(UInt64(44)) + [45, 0, 45, 0] + little(UInt64(0)) + little(UInt64(entries.count)) + little(UInt64(entries.count))
            + little(UInt64(directory.count)) + little(UInt64(file.count))
        end += [0x50, 0x4B, 6, 7] + little(UInt32(0)) + little(UInt64(file.count + directory.count)) + little(UInt32(1))
    }
    let count = zip64 ? UInt16.max : UInt16(entries.count)
    return file + directory + end + [0x50, 0x4B, 5, 6, 0, 0, 0, 0] + little(count) + little(count) + little(UInt32(directory.count))
        + little(zip64 ? UInt32.max : UInt32(file.count)) + [0, 0]
}

private let x = npy("<f4", "2, 2", floats(1, 2, 3, 4))
private let y = npy("<i8", "2,", little(Int64(5)) + little(Int64(-1)))

@Suite("NPZ") struct NPZTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test("Features and labels, stored or deflated, small or zip64", arguments: [(false, false), (true, false), (false, true), (true, true)])
    func arrays(deflated: Bool, zip64: Bool) throws {
        let path = try scratch.file("set.npz", zip([("x.npy", x), ("y.npy", y)], deflated: deflated, zip64: zip64))
        let set = try Dataset(path)
        #expect(set.name == "set" && set.kind == .table && set.training.floats == [1, 2, 3, 4] && set.training.values == [5, -1])
        #expect(set.notes == ["y is the target: numbers, so this is a regression; --loss cross-entropy makes its integers classes"])
        #expect(try Dataset(path, classification: true).classes == ["-1", "5"])
    }

    @Test("Keras' keys: images of bytes stay bytes, their integers are classes, the test split is the set's own")
    func keras() throws {
        let entries = [
            ("x_train.npy", npy("|u1", "2, 1, 3", [1, 2, 3, 4, 5, 6])), ("y_train.npy", npy("|u1", "2,", [4, 9])),
            ("x_test.npy", npy("|u1", "1, 1, 3", [7, 8, 9])), ("y_test.npy", npy("|u1", "1,", [9])),
        ]
        let set = try Dataset(scratch.file("mnist.npz", zip(entries)))
        #expect(set.kind == .images && set.training.features == .bytes([1, 2, 3, 4, 5, 6]) && set.training.columns == 3)
        #expect(set.classes == ["4", "9"] && set.training.classes == [0, 1] && set.test?.classes == [1] && set.test?.floats == [7, 8, 9])
    }

    @Test("Every type is read, and a row of labels too", arguments: [
        ("|i1", [0xFF, 2], [-1, 2]), ("|b1", [0, 1], [0, 1]), ("<i2", [0xFE, 0xFF, 0, 1], [-2, 256]), ("<u2", [0xFE, 0xFF, 0, 1], [65534, 256]),
        ("<i4", little(Int32.min) + little(Int32(3)), [-2_147_483_648, 3]), ("<u4", little(UInt32(7)) + little(UInt32(8)), [7, 8]),
        ("<u8", little(UInt64(7)) + little(UInt64(8)), [7, 8]), ("<f8", little((0.1).bitPattern) + little((-2.5).bitPattern), [0.1, -2.5]),
    ] as [(String, [UInt8], [Float])])
    func types(type: String, body: [UInt8], values: [Float]) throws {
        let path = try scratch.file("set.npz", zip([("x.npy", npy(type, "1, 2", body)), ("y.npy", npy(type, "1, 2", body))]))
        let set = try Dataset(path)
        #expect(set.training.floats == values && set.training.values == values && set.training.targets == .values(values, width: 2))
    }

    @Test("What cannot be right is refused by file and array")
    func refused() throws {
        let good = try zip([("x.npy", x), ("y.npy", y)])
        func with(_ x: [UInt8], _ y: [UInt8] = y) throws -> [UInt8] { try zip([("x.npy", x), ("y.npy", y)]) }
        let cases: [([UInt8], String)] = [
            (Array("hello".utf8), "$/set.npz is not a zip file, which an .npz is"),
            (Array(good.dropLast(30)), "$/set.npz is cut short: the zip file has no directory at its end"),
            (Array(good.dropFirst(40).reversed()) + good.suffix(22), "$/set.npz is not a zip file, which an .npz is"),
            (Array(good.prefix(4) + good.dropFirst(40)), "$/set.npz is damaged: the zip file's directory cannot be read"),
            (try zip([("a.npy", x), ("b.npy", y)]), "$/set.npz holds a.npy, b.npy; expected the arrays x and y, or x_train and y_train (x_test, y_test)"),
            (try zip([]), "$/set.npz holds nothing; expected the arrays x and y, or x_train and y_train (x_test, y_test)"),
            (try zip([("x.npy", x)]), "$/set.npz has no labels; training needs them"),
            (try zip([("x.npy", x), ("y.npy", y)], method: 12), "$/set.npz: x.npy is packed by method 12; stored and deflated entries can be read"),
            (try zip([("x.npy", x), ("y.npy", y)], flags: 1), "$/set.npz is encrypted"),
            (Array(good.prefix(35 + 128) + [99] + good.dropFirst(35 + 129)), "$/set.npz: x.npy is damaged: its checksum is wrong"),
            (try with(Array("x".utf8)), "$/set.npz: x is not a NumPy array: its first bytes are not \\x93NUMPY"),
            (try with(Array(x.dropLast())), "$/set.npz: x is cut short: 2×2 values of 4 bytes are more than the 15 bytes there"),
            (try with(x + [0]), "$/set.npz: x has 1 bytes after its 2×2 values"),
            (try with(npy("<U3", "1,", [])), "$/set.npz: x holds values of type '<U3'; expected <f4, <f8, <i2, <i4, <i8, <u2, <u4, <u8, |b1, |i1, |u1"),
            (try with(npy(">f4", "1,", [0, 0, 0, 0])), "$/set.npz: x holds values of type '>f4'; expected <f4, <f8, <i2, <i4, <i8, <u2, <u4, <u8, |b1, |i1, |u1"),
            (try with(npy("<f4", "2, 2", floats(1, 2, 3, 4), order: "True")), "$/set.npz: x is in Fortran order; save it with numpy.ascontiguousarray"),
            (try with(npy("<f4", "2, 2", floats(1, 2, .nan, 4))), "$/set.npz: x[1, 0] is nan, not a finite 32-bit number"),
            (try with(npy("<f8", "1, 1", little((1e300).bitPattern))), "$/set.npz: x[0, 0] is 1e+300, not a finite 32-bit number"),
            (try with(npy("<f4", "0, 2", [])), "$/set.npz: x is 0×2; samples need at least one row and one column"),
            (try with(npy("<f4", "", floats(1))), "$/set.npz: x is 0-dimensional; samples need at least one row and one column"),
            (try with(npy("|u1", "99999999999, 99999999999", [])),
             "$/set.npz: x is cut short: 99999999999×99999999999 values of 1 bytes are more than the 0 bytes there"),
            (try with(npy("|u1", "99999999999999999999,", [])), "$/set.npz: x has a size of 99999999999999999999, which is more than fits here"),
            (try with(x, npy("<i4", "3,", little(Int32(1)) + little(Int32(1)) + little(Int32(1)))), "$/set.npz: y has 3 labels, but $/set.npz: x has 2 rows"),
            (try with(x, npy("<f4", "2,", floats(1, .infinity))), "$/set.npz: y[1] is inf, not a finite 32-bit number"),
            (try with(x, npy("|u1", "2, 1, 1", [1, 2])), "$/set.npz: y is 2×1×1; labels have a number, or a row of numbers, a sample"),
        ]
        for (content, message) in cases {
            let path = try scratch.file("set.npz", content)
            #expect(scratch.message { try Dataset(path) } == message)
        }
        let single = try scratch.file("x.npy", x)
        #expect(scratch.message { try Dataset(single) } == "$/x.npy holds one array; features and labels together come in an .npz")
        #expect(try Schema(width: 2).read(single, labels: .ignored).samples.floats == [1, 2, 3, 4])
    }

    @Test("Damage anywhere is an error, never a trap")
    func damage() throws {
        let good = try zip([("x.npy", x), ("y.npy", y)], deflated: true, zip64: true)
        for position in good.indices {
            for byte in [0, 0x7F, 0xFF] as [UInt8] {
                var damaged = good
                damaged[position] = byte
                let path = try scratch.file("set.npz", damaged)
                _ = try? Dataset(path)
                let cut = try scratch.file("set.npz", damaged.prefix(position))
                #expect(throws: FathomError.self) { try Dataset(cut) }
            }
        }
    }
}
