import Foundation
import Testing

@testable import FathomFormats

@Suite("Reading JSON")
struct JSONReaderTests {
    private static func read(_ text: String) throws -> JSON {
        let bytes = Array(text.utf8)
        var reader = JSONReader(bytes, 0..<bytes.count)
        let value = try reader.value()
        try reader.expectEnd()
        return value
    }

    @Test("what is written is read back")
    func roundTrip() throws {
        let value: JSON = [
            "a": [1, -2, .number(0.1), .number(-1.5e-300), nil, true, false], "b": .string("\"\\/\n\r\t\u{1}é😀"), "c": [:], "d": [], "e": .unsigned(.max), "f": .integer(.min),
            "": ["x": ["y": [[[]]]]],
        ]
        #expect(try Self.read(value.line) == value)
        #expect(try Self.read(" [ 1 , {\"a\" : 2 } ]\r") == [1, ["a": 2]])
        #expect(try Self.read(#""\u00e9\ud83d\ude00\/\b\f""#) == "é😀/\u{8}\u{C}")
    }

    @Test("numbers are right to a few units in the last place", arguments: [
        "0", "-0", "1", "0.1", "-12.375", "1e22", "1e23", "1.7976931348623157e308", "5e-324", "2.2250738585072014e-308", "123456789012345678901234567890", "0.000000000000000000000012345678901234567",
        "9007199254740993", "4.9406564584124654e-300", "1E5", "1e+5", "0.0", "00012", "123e-330", "1e-400", "-3e-100000",
    ])
    func numbers(_ text: String) throws {
        let bytes = Array(text.utf8)
        var reader = JSONReader(bytes, 0..<bytes.count)
        let number = try reader.number(), expected = try #require(Double(text))
        #expect(reader.position == bytes.count)
        // Mantissa, two powers and two products are rounded once each, a power of pow's to 2 units; a subnormal to its last bit.
        #expect(abs(number - expected) <= abs(expected) * 8 * 0x1p-53 + .leastNonzeroMagnitude, "\(number)")
    }

    @Test("what is no JSON is damage, with its place", arguments: [
        "", "{", "[1,", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "\"abc", "\"\\x\"", "\"\\u12", "tru", "1.", "1e", "-", ".5", "[1]]", "{\"a\":1 \"b\":2}", "nul", "\u{0}",
        String(repeating: "[", count: 100_000), String(repeating: "{\"a\":", count: 100_000),
    ])
    func damage(_ text: String) {
        #expect(throws: JSONReader.Damage.self) { try Self.read(text) }
    }

    @Test("damage anywhere is found or harmless, and never a crash")
    func fuzz() {
        var generator = SystemRandomNumberGenerator()
        let line = Array(#"{"event":"step", "step":12, "loss":0.5e-3, "layers":[{"name":"0.linear", "gradient_norm":null, "a":"\u00e9\\"}], "t":true}"#.utf8)
        for _ in 0..<20_000 {
            var bytes = line
            for _ in 0..<Int.random(in: 1...3, using: &generator) { bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator) }
            var reader = JSONReader(bytes, 0..<Int.random(in: 0...bytes.count, using: &generator))
            do throws(JSONReader.Damage) { _ = try reader.value() } catch let error { #expect(error.position <= bytes.count + 1) }
        }
    }
}
