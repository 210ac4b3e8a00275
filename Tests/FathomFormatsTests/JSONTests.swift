import FathomFormats
import Foundation
import Testing

@Suite("JSON lines")
struct JSONTests {
    @Test("numbers read back to the same bits", arguments: [0.1, 1e-300, Double.leastNonzeroMagnitude, 1.7976931348623157e308, -0.0, 123456789.125, 1e16, 3.0])
    func roundTrip(_ number: Double) throws {
        let line = JSON.object([.init("x", .number(number))]).line
        let object = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: NSNumber])
        #expect(object["x"]?.doubleValue.bitPattern == number.bitPattern)
    }

    @Test("every seed is written without loss")
    func seeds() {
        #expect(JSON.unsigned(.max).line == "18446744073709551615")
    }

    @Test("a number that is not finite is null, with the reason beside it")
    func notFinite() {
        let object: JSON = ["loss": .number(.nan), "a": .number(.infinity), "b": .float(-.infinity), "c": [.number(.nan), 1]]
        #expect(object.line == #"{"loss":null, "loss_reason":"nan", "a":null, "a_reason":"inf", "b":null, "b_reason":"-inf", "c":[null, 1]}"#)
    }

    @Test("members keep their order, and text is escaped")
    func text() throws {
        let text = "a\"b\\c\n\r\t\u{1}é😀"
        let line = (["z": .string(text), "a": nil, "m": true] as JSON).line
        #expect(line == #"{"z":"a\"b\\c\n\r\t\u0001é😀", "a":null, "m":true}"#)
        let object = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["z"] as? String == text)
    }
}
