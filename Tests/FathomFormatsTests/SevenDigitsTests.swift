import Foundation
import Testing

@testable import FathomFormats

@Suite("Seven digits")
struct SevenDigitsTests {
    private static func text(_ value: Double) -> String {
        var text: [UInt8] = []
        SevenDigits(value).write(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    @Test("Numbers are written plainly from 10⁻⁵ up to 10⁷, else with an exponent, without zeros at the end", arguments: [
        (0, "0"), (-0.0, "-0.0"), (1, "1"), (-1, "-1"), (10, "10"), (1_200_000, "1200000"), (9_999_999, "9999999"), (1e7, "1e7"), (12_345_678, "1.234568e7"),
        (0.5, "0.5"), (0.1, "0.1"), (-12.5, "-12.5"), (100.25, "100.25"), (0.000_012_345_67, "0.00001234567"), (1e-5, "0.00001"), (-0.000_012_345_67, "-0.00001234567"),
        (1e-6, "1e-6"), (9.999_999_6e-6, "0.00001"), (0.999_999_96, "1"), (9_999_999.6, "1e7"), (-1.234_567_8e-300, "-1.234568e-300"), (1.797_693_134_862_315_7e308, "1.797693e308"),
        (5e-324, "4.940656e-324"), (2.225_073_858_507_201_4e-308, "2.225074e-308"), (1e23, "1e23"), (9.5e-5, "0.000095"),
    ])
    func texts(value: Double, text: String) { #expect(Self.text(value) == text) }

    /// C's formats round exactly. None of these lies so near to halfway between two that seven digits may be either.
    @Test("They are the seven digits that C's formats give, over all powers of two, and `value` is what is read")
    func agreesWithC() throws {
        for exponent in -1074...1023 {
            for number in 1...20 {
                let fraction = (Double(number * (exponent + 1100)) * 0.618_033_988_749_894_9).truncatingRemainder(dividingBy: 1)
                let value = (number % 2 == 0 ? 1 : -1) * Double(sign: .plus, exponent: exponent, significand: 1 + fraction), text = Self.text(value)
                #expect(Double(text) == Double(String(format: "%.6e", value)), "\(value) became \(text)")
                var reader = JSONReader(Array(text.utf8), 0..<text.utf8.count)
                #expect(try reader.number() == SevenDigits(value).value, "\(value)")
            }
        }
    }
}
