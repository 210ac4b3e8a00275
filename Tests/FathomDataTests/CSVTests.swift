import Fathom
import Foundation
import Testing
@testable import FathomData

@Suite("CSV") struct CSVTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    func dataset(_ content: String, target: String? = nil, classification: Bool? = nil) throws -> Dataset {
        try Dataset(scratch.file("data.csv", content), target: target, classification: classification)
    }

    @Test("A header, numbers and text labels: classes in sorted order")
    func textLabels() throws {
        let data = try dataset("width,height,species\n1.5,2,virginica\n-3e-2,.5,setosa\n+4,7.,virginica\n")
        #expect(data.columns == ["width", "height"] && data.target == "species" && data.classes == ["setosa", "virginica"])
        #expect(data.training.floats == [1.5, 2, -0.03, 0.5, 4, 7])
        #expect(data.training.classes == [1, 0, 1])
        #expect(data.name == "data" && data.kind == .table)
        #expect(data.notes == ["column 'species' is the target: text, so its 2 labels are the classes, in sorted order"])
    }

    @Test("Without a header columns have numbers, and the choice is printed")
    func headerless() throws {
        let path = try scratch.file("data.csv", "1,2,a\n3,4,b")
        let data = try Dataset(path)
        #expect(data.columns == nil && data.target == "3" && data.classes == ["a", "b"] && data.training.floats == [1, 2, 3, 4])
        #expect(data.notes.first == "\(path) has no header: its first line has numbers, so its columns are called 1 … 3")
        let first = try dataset("a,2,1\nb,4,3", target: "1")
        #expect(first.target == "1" && first.classes == ["a", "b"] && first.training.floats == [2, 1, 4, 3])
    }

    @Test("Numbers are a regression; with a classification loss integers are classes in numerical order")
    func numbers() throws {
        let content = "x,y\n1,10\n2,9\n3,-1\n4,9.0\n"
        let regression = try dataset(content)
        #expect(regression.classes == nil && regression.training.values == [10, 9, -1, 9])
        #expect(regression.notes == ["column 'y' is the target: numbers, so this is a regression; --loss cross-entropy makes its integers classes"])
        let classes = try dataset(content, classification: true)
        #expect(classes.classes == ["-1", "9", "10"] && classes.training.classes == [2, 1, 0, 1])
        #expect(classes.notes == ["column 'y' is the target: its 3 integers are the classes; --loss mse takes them as numbers"])
        #expect(try dataset("x,y\n1,0.5\n").notes == ["column 'y' is the target: numbers, so this is a regression"])
    }

    @Test("The target may be any column, found by name")
    func target() throws {
        let data = try dataset("y,a,b\n1,2,3\n4,5,6\n", target: "y")
        #expect(data.columns == ["a", "b"] && data.training.floats == [2, 3, 5, 6] && data.training.values == [1, 4])
    }

    @Test("Quotes, doubled quotes, commas and line ends in quotes, CRLF, CR, a byte order mark, blanks, no last line end", arguments: [
        "a,\"b\"\"c\",label\n1,2,\"x,\ny\"\n3,4,z\n",
        "a,\"b\"\"c\",label\r\n1,2,\"x,\ny\"\r\n3,4,z\r\n",
        "a,\"b\"\"c\",label\r1,2,\"x,\ny\"\r3,4,z",
        "\u{FEFF}a,\"b\"\"c\",label\n\"1\",2,\"x,\ny\"\n3,\"4\",\"z\"",
        " a ,\"b\"\"c\",\tlabel\n  1,2 ,\"x,\ny\"\n3,\t4, z \n\n\n",
    ])
    func dialects(content: String) throws {
        let data = try dataset(content)
        #expect(data.columns == ["a", "b\"c"] && data.target == "label" && data.classes == ["x,\ny", "z"])
        #expect(data.training.floats == [1, 2, 3, 4] && data.training.classes == [0, 1])
    }

    @Test("A gzipped file reads the same, in several members too")
    func gzipped() throws {
        let plain = "x,y\n1,2\n3,4\n"
        let members = try gzip(Array(plain.utf8.prefix(5))) + gzip(Array(plain.utf8.dropFirst(5)))
        let data = try Dataset(scratch.file("rows.csv.gz", members))
        #expect(data.name == "rows" && data.training.floats == [1, 3] && data.training.values == [2, 4])
    }

    @Test("A nameless column is called by its position, as an index column has no name")
    func nameless() throws {
        #expect(try dataset(",a,b\n0,1,2\n").columns == ["column 1", "a"])
    }

    @Test("What cannot be right is refused with its line and column", arguments: [
        ("", "$/data.csv is empty"),
        ("\n\n", "$/data.csv is empty"),
        ("a,b,c\n", "$/data.csv has a header, but no rows"),
        ("1\n2\n", "$/data.csv has one column; training needs a feature and the target"),
        ("1;2\n3;4\n", "$/data.csv has one column; training needs a feature and the target (fields are separated by commas; this file seems to use semicolons)"),
        ("a,b,a\n1,2,3\n", "$/data.csv:1: columns 1 and 3 are both named 'a'"),
        ("age,y\n1,2\n,3\n", "$/data.csv:3: column 'age' is empty"),
        ("age,y\n1,2\n3,\n", "$/data.csv:3: column 'y', the target, is empty"),
        ("1,2,3\n4,,6\n", "$/data.csv:2: column 2 is empty"),
        ("a,b,y\n1,2,3\n4,5\n", "$/data.csv:3 has 2 fields, but the first line has 3"),
        ("a,b,y\n1,2,3,4,5\n", "$/data.csv:2 has 5 fields, but the first line has 3"),
        ("a,y\n1,2\n\n3,4\n", "$/data.csv:3 is empty"),
        ("\na,y\n1,2\n", "$/data.csv:1 is empty"),
        ("a,b,y\n1,red,3\n", "$/data.csv:2: column 'b' is 'red', not a number; features are numbers"),
        ("a,y\n1,2\n\"x\ny\",3\n", "$/data.csv:3: column 'a' is 'x\ny', not a number; features are numbers"),
        ("a,b,y\n\"1\n\",2,\"3\n\"\n1,?,3\n", "$/data.csv:2: column 'a' is '1\n', not a number; features are numbers"),
        ("a,y\n1,\"x\ny\r\nz\"\nred,w\n", "$/data.csv:5: column 'a' is 'red', not a number; features are numbers"),
        ("a,y\nnan,1\n", "$/data.csv:2: column 'a' is 'nan', not a finite 32-bit number"),
        ("a,y\n-Inf,1\n", "$/data.csv:2: column 'a' is '-Inf', not a finite 32-bit number"),
        ("a,y\n1e39,1\n", "$/data.csv:2: column 'a' is '1e39', not a finite 32-bit number"),
        ("a,y\n1,NaN\n", "$/data.csv:2: column 'y' is 'NaN', not a finite 32-bit number"),
        ("a,y\n1,1e400\n", "$/data.csv:2: column 'y' is '1e400', not a finite 32-bit number"),
        ("a,y\n1,1e39\n", "$/data.csv:2: column 'y' is '1e39', not a finite 32-bit number"),
        ("a,y\n0x10,1\n", "$/data.csv:2: column 'a' is '0x10', not a number; features are numbers"),
        ("a,y\n1e,1\n", "$/data.csv:2: column 'a' is '1e', not a number; features are numbers"),
        ("a,y\n1 2,1\n", "$/data.csv:2: column 'a' is '1 2', not a number; features are numbers"),
        ("a,y\n\"1\"2,1\n", "$/data.csv:2: there is text after the closing quote of \"1\"; a quote inside a quoted field is written twice"),
        ("a,y\n1,\"2\n3,4\n", "$/data.csv:2: the quoted field that begins here is never closed"),
        ("0,1,label\n1,2,3\n4,5,6\n", "$/data.csv:1: column 3 is 'label', and a number in every other row; a header is a first line without any number"),
    ])
    func refused(content: String, message: String) {
        #expect(scratch.message { try dataset(content) } == message)
    }

    @Test("Bytes that are not UTF-8 are refused where text is wanted")
    func encodings() throws {
        let cases: [([UInt8], String)] = [
            ([0xFF, 0xFE, 0x61, 0, 0x2C, 0], "$/data.csv is UTF-16; save it as UTF-8"),
            (Array("a,".utf8) + [0xE9] + Array("\n1,2\n".utf8), "$/data.csv:1: the name of column 2 is not UTF-8; save the file as UTF-8"),
            (Array("a,b\n1,".utf8) + [0xE9] + Array("\n".utf8), "$/data.csv:2: column 'b' is not UTF-8; save the file as UTF-8"),
            (Array("a,b\n".utf8) + [0xE9] + Array(",1\n".utf8), "$/data.csv:2: column 'a' is '\u{FFFD}', not a number; features are numbers"),
        ]
        for (content, message) in cases { #expect(scratch.message { try Dataset(scratch.file("data.csv", content)) } == message) }
    }

    @Test("A huge field is shown shortened")
    func hugeField() {
        let message = scratch.message { try dataset("a,y\n1,2\n\(String(repeating: "z", count: 3_000_000)),3\n") }
        #expect(message == "$/data.csv:3: column 'a' is '\(String(repeating: "z", count: 40))…', not a number; features are numbers")
    }

    @Test("An unknown target is refused with a suggestion, and labels must fit the loss", arguments: [
        ("width,species\n1,2\n", "specis", nil, "$/data.csv has no column 'specis'; did you mean 'species'?"),
        ("width,species\n1,2\n", "price", nil, "$/data.csv has no column 'price'; its columns are width, species"),
        ("1,2\n3,4\n", "label", nil, "$/data.csv has no header, so its columns are called 1 … 2; 'label' is not one of them"),
        ("1,2\n3,4\n", "0", nil, "$/data.csv has no header, so its columns are called 1 … 2; '0' is not one of them"),
        ("x,y\n1,2\n2,0.5\n", nil, true,
         "$/data.csv:3: column 'y' is 0.5, not an integer, and this loss makes the labels classes; --loss mse takes them as numbers"),
        ("x,y\n1,2\n2,9007199254740993\n", nil, true,
         "$/data.csv:3: column 'y' is beyond ±9007199254740991, the largest integers that can be classes, and this loss makes the labels classes; "
             + "--loss mse takes them as numbers"),
        ("x,y\n1,2\n2,red\n", nil, false,
         "$/data.csv:3: column 'y' is 'red', not a number, and this loss needs numbers; --loss cross-entropy makes the labels classes"),
    ] as [(String, String?, Bool?, String)])
    func targets(content: String, target: String?, classification: Bool?, message: String) {
        #expect(scratch.message { try dataset(content, target: target, classification: classification) } == message)
    }
}

@Suite("Numbers in text") struct DecimalTests {
    func read(_ text: String) -> Float? {
        Array(text.utf8).withUnsafeBufferPointer {
            if case .value(let value) = parseFloat($0, from: 0, to: $0.count) { value } else { nil }
        }
    }

    @Test("float32 and float64 are rounded as the standard library rounds them", arguments: 0 ..< 8)
    func rounding(seed: UInt64) {
        var random = CounterRandom(seed: seed, stream: 0)
        for _ in 0 ..< 2_000 {
            let bits = random.next(), tie = Double(Float(bitPattern: bits & 0x7FFF_FFFF)), digits = Int(random.integer(below: 22))
            let double = Double(bitPattern: UInt64(random.next()) << 32 | UInt64(bits))
            for text in [
                "\(Float(bitPattern: bits))", "\(double)", "\(Float(double))",
                // Next to the middle between two floats, where one rounding too many shows.
                "\(tie + Double(Float(bitPattern: bits & 0x7FFF_FFFF).ulp) / 2)", "\((tie + Double(Float(bitPattern: bits & 0x7FFF_FFFF).ulp) / 2).nextUp)",
                "\(random.next()).\(random.next())\(random.next())", "0.\(String(repeating: "0", count: digits))\(random.next())e\(Int(random.integer(below: 60)) - 30)",
                "\(Float(bits) / 256)", String(format: "%.\(digits)f", random.normal()), String(format: "%.\(digits)e", random.normal()),
            ] where Double(text)?.isFinite == true {
                #expect(read(text).map(\.bitPattern) == Float(text).flatMap { $0.isFinite ? $0.bitPattern : nil }, "\(text)")
                Array(text.utf8).withUnsafeBufferPointer {
                    guard case .value(let value) = parseDouble($0, from: 0, to: $0.count) else { Issue.record("\(text)"); return }
                    #expect(value.bitPattern == Double(text)?.bitPattern, "\(text)")
                }
            }
        }
    }

    @Test("Extremes and odd forms", arguments: [
        ("0", 0), ("-0", -0.0), ("5.", 5), (".5", 0.5), ("+1e0", 1), ("1E5", 1e5), ("1e-400", 0), ("0e99999999999999999999", 0), ("3.4028235e38", 3.4028235e38),
        ("1e-45", .leastNonzeroMagnitude), ("7e-46", 0), ("16777217", 16_777_216), ("16777219", 16_777_220), ("16777217.0000000000000000001", 16_777_218), ("000000000000000000000000000001", 1),
        ("100000000000000000000000000000", 1e29), ("0.0000000000000000000000000000000000001", 1e-37), ("5.e-30", 5e-30),
    ] as [(String, Float)])
    func extremes(text: String, value: Float) {
        #expect(read(text)?.bitPattern == value.bitPattern)
    }

    @Test("What is not a finite number is none", arguments: ["", "-", "+", ".", "e5", "1e", "1e+", "1.2.3", "1,5", "nan", "inf", "-infinity", "1e39", "3.5e38", "1e999999999999", "0x1p3", "1f", "١"])
    func refused(text: String) {
        #expect(read(text) == nil)
    }
}
