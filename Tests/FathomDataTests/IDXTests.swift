import Fathom
import Foundation
import Testing
@testable import FathomData

/// Three images of 2×2, and their labels.
private let images: [UInt8] = [0, 0, 8, 3] + bigEndian(3, 2, 2) + Array(1 ... 12)
private let labels: [UInt8] = [0, 0, 8, 1] + bigEndian(3) + [7, 3, 7]

@Suite("IDX") struct IDXTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test("A folder with a training and a test pair, plain or gzipped, dotted names too", arguments: [false, true])
    func folder(packed: Bool) throws {
        let suffix = packed ? ".gz" : ""
        func write(_ name: String, _ content: [UInt8]) throws { try scratch.file(name + suffix, packed ? gzip(content) : content) }
        try write("set/train-images-idx3-ubyte", images)
        try write("set/train-labels-idx1-ubyte", labels)
        try write("set/t10k-images.idx3-ubyte", images)
        try write("set/t10k-labels.idx1-ubyte", [0, 0, 8, 1] + bigEndian(3) + [5, 3, 7])
        try scratch.file("set/README", "not data")
        let set = try Dataset(scratch.path + "/set")
        #expect(set.name == "set" && set.kind == .images && set.training.columns == 4 && set.training.count == 3)
        #expect(set.training.features == .bytes(Array(1 ... 12)))
        // 5 is in the test split only, and still a class.
        #expect(set.classes == ["3", "5", "7"] && set.training.classes == [2, 0, 2] && set.test?.classes == [1, 0, 2])
        #expect(set.notes.isEmpty)
    }

    @Test("A file of images finds its labels beside it, packed or not")
    func single() throws {
        let path = try scratch.file("train-images-idx3-ubyte", images)
        try scratch.file("train-labels-idx1-ubyte.gz", gzip(labels))
        let set = try Dataset(path)
        #expect(set.training.classes == [1, 0, 1] && set.classes == ["3", "7"] && set.test == nil)
        #expect(try Dataset(path, classification: false).training.values == [7, 3, 7])
    }

    @Test("Every element type is read, big-endian", arguments: [
        (0x09, [0xFF, 2], [-1, 2]), (0x0B, [0xFF, 0xFE, 0x01, 0x00], [-2, 256]), (0x0C, [0x80, 0, 0, 0, 0, 0, 1, 0], [-2_147_483_648, 256]),
        (0x0D, [0x3F, 0xC0, 0, 0, 0xC0, 0, 0, 0], [1.5, -2]), (0x0E, [0x3F, 0xF8, 0, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0], [1.5, -2]),
    ] as [(UInt8, [UInt8], [Float])])
    func types(code: UInt8, body: [UInt8], values: [Float]) throws {
        let path = try scratch.file("images-idx2", [0, 0, code, 2] + bigEndian(2, 1) + body)
        try scratch.file("labels-idx1", [0, 0, 8, 1] + bigEndian(2) + [0, 1])
        #expect(try Dataset(path).training.floats == values)
    }

    @Test("What cannot be right is refused by name, with what was expected", arguments: [
        ([1, 0, 8, 3], labels, "$/images-idx3 is not an IDX file: it begins with 01 00 08 03, expected 00 00, a type (08, 09, 0b … 0e) and the number of dimensions"),
        ([0, 0, 8], labels, "$/images-idx3 is too short for an IDX file: 3 bytes"),
        ([], labels, "$/images-idx3 is too short for an IDX file: 0 bytes"),
        ([0, 0, 8, 3, 0, 0], labels, "$/images-idx3 is cut short: its header needs 16 bytes, there are 6"),
        (Array(images.dropLast()), labels, "$/images-idx3 is cut short: 3×2×2 values need 12 bytes, there are 11"),
        ([0, 0, 14, 3] + bigEndian(.max, .max, .max), labels,
         "$/images-idx3 is cut short: 4294967295×4294967295×4294967295 values need more bytes, there are 0"),
        (images + [0], labels, "$/images-idx3 has 1 bytes after its 3×2×2 values"),
        (images, Array(labels.dropLast()), "$/labels-idx1 is cut short: 3 values need 3 bytes, there are 2"),
        (images, [0, 0, 8, 1] + bigEndian(2) + [7, 3], "$/labels-idx1 has 2 labels, but $/images-idx3 has 3 images"),
        (images, images, "$/labels-idx1 has 3 dimensions; labels have one"),
        (labels, labels, "$/images-idx3 has 3 values; samples need at least two dimensions, the first of which counts them"),
        ([0, 0, 8, 3] + bigEndian(0, 2, 2), labels, "$/images-idx3 holds no samples"),
        ([0, 0, 8, 3] + bigEndian(3, 0, 2), labels, "$/images-idx3 has 3×0×2 values; samples need at least two dimensions, the first of which counts them"),
        ([0, 0, 13, 2] + bigEndian(1, 1) + [0x7F, 0xC0, 0, 0], labels, "$/images-idx3: sample 1 holds nan, not a finite 32-bit number"),
    ] as [([UInt8], [UInt8], String)])
    func refused(images: [UInt8], labels: [UInt8], message: String) throws {
        let path = try scratch.file("images-idx3", images)
        try scratch.file("labels-idx1", labels)
        #expect(scratch.message { try Dataset(path) } == message)
    }

    @Test("A damaged gzip file is refused by name")
    func damaged() throws {
        let packed = try gzip(images)
        try scratch.file("labels-idx1", labels)
        let cases: [([UInt8], String)] = [
            (Array(packed.prefix(20)), "$/images-idx3.gz is cut short: the compressed data end in the middle"),
            (Array(packed.dropLast(1)), "$/images-idx3.gz is cut short: the compressed data end in the middle"),
            (packed + [1, 2, 3], "$/images-idx3.gz has bytes after its end that are not gzip"),
            ([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], "$/images-idx3.gz is damaged: invalid block type"),
            (packed.dropLast(8) + [0, 0, 0, 0] + packed.suffix(4), "$/images-idx3.gz is damaged: incorrect data check"),
        ]
        for (content, message) in cases {
            let path = try scratch.file("images-idx3.gz", content)
            #expect(scratch.message { try Dataset(path) } == message)
        }
    }

    @Test("A file that unpacks to more than the limit, or does not end, is refused")
    func bomb() throws {
        let bomb = try gzip([UInt8](repeating: 0, count: 10_000_000))
        #expect(bomb.count < 20_000)
        #expect(scratch.message { try gunzip(bomb, name: "bomb.gz", limit: 9_999_999) }
            == "bomb.gz unpacks to more than 9999999 bytes, which is more than fits here")
        #expect(try gunzip(bomb, name: "bomb.gz", limit: 10_000_000).count == 10_000_000)
        #expect(scratch.message { try readBytes("/dev/zero", limit: 1_000_000) } == "/dev/zero holds more than 1000000 bytes, which is more than fits here")
    }

    @Test("A folder without a set, with two, without labels; files that are absent or of another kind")
    func paths() throws {
        try FileManager.default.createDirectory(atPath: scratch.path + "/empty", withIntermediateDirectories: true)
        #expect(scratch.message { try Dataset(scratch.path + "/empty") }
            == "$/empty holds no IDX set; expected train-images-idx3-ubyte and train-labels-idx1-ubyte, or the same with .gz")
        try scratch.file("two/a-train-images-idx3-ubyte", images)
        try scratch.file("two/b-train-images-idx3-ubyte", images)
        #expect(scratch.message { try Dataset(scratch.path + "/two") }
            == "$/two holds more than one IDX set: a-train-images-idx3-ubyte, b-train-images-idx3-ubyte")
        let lonely = try scratch.file("lonely/train-images-idx3-ubyte", images)
        #expect(scratch.message { try Dataset(lonely) } == "$/lonely/train-images-idx3-ubyte has no labels; training needs them")
        let labelFile = try scratch.file("lonely/x-labels-idx1-ubyte", labels)
        #expect(scratch.message { try Dataset(labelFile) } == "$/lonely/x-labels-idx1-ubyte holds labels; give the file of the images")
        #expect(scratch.message { try Dataset(scratch.path + "/none.csv") }
            == "there is no data set or file '$/none.csv'; sets are digits, fashion-mnist, spirals, teacher, parity, adding, copy")
        #expect(scratch.message { try Dataset("digit") } == "there is no data set or file 'digit'; did you mean 'digits'?")
        #expect(scratch.message { try Dataset("") } == "the data have no name; give a set (digits, fashion-mnist, spirals, teacher, parity, adding, copy) or a path")
        let parquet = try scratch.file("data.parquet", "PAR1")
        #expect(scratch.message { try Dataset(parquet) }
            == "$/data.parquet is of a kind that is not known by its name; expected .csv, .csv.gz, .npz, or a folder with an IDX set")
        try FileManager.default.createDirectory(atPath: scratch.path + "/folder.csv", withIntermediateDirectories: true)
        #expect(scratch.message { try readBytes(scratch.path + "/folder.csv") } == "$/folder.csv is a folder, not a file")
        #expect(scratch.message { try readBytes(scratch.path + "/none") } == "there is no file $/none")
        #expect(scratch.message { try readFashionMNIST(scratch.path + "/none") }
            == "fashion-mnist is not in $/none; on Debian 'apt-get install dataset-fashion-mnist' puts it there, elsewhere give the path of the folder that holds its four files")
        #expect(scratch.message { try Dataset("digits", target: "y") } == "--target y chooses a column of a CSV; digits has no columns to choose from")
    }

    @Test("A file without permission, and one whose reading fails, are refused", .enabled(if: FileManager.default.fileExists(atPath: "/proc/self/mem")))
    func unreadable() throws {
        #expect(throws: FathomError.inputOutput("cannot read /proc/self/mem: Input/output error")) { try readBytes("/proc/self/mem") }
        let path = try scratch.file("secret.csv", "x,y\n1,2\n")
        try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: path)
        if geteuid() != 0 { #expect(scratch.message { try Dataset(path) } == "cannot read $/secret.csv: Permission denied") }
    }
}
