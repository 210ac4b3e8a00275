import Foundation

/// A number to seven significant digits, ±digits·10^exponent. Where it lies within 10⁻¹⁵ of itself of halfway between two, either may be taken.
///
/// The layers of a deep network are a thousand numbers a step, and a float's description takes several times as long.
struct SevenDigits {
    private let isNegative: Bool
    /// 0, or from 10⁶ up to below 10⁷.
    private let digits: Int
    private let exponent: Int

    /// - Precondition: `value` is finite.
    init(_ value: Double) {
        let size = value.magnitude
        isNegative = value.sign == .minus
        guard size > 0 else {
            (digits, exponent) = (0, 0)
            return
        }
        // log₁₀ 2 times the power of two is the power of ten, or one below it.
        var power = Int((Double(size.exponent) * 0.301_029_995_663_981_2).rounded(.down)), scaled = scaledByPowerOf10(size, 6 - power)
        if scaled >= 9_999_999.5 {
            power += 1
            scaled = scaledByPowerOf10(size, 6 - power)
        }
        (digits, exponent) = (Int(scaled.rounded()), power - 6)
    }

    /// What `JSONReader` makes of the text.
    var value: Double {
        let size = decimal(UInt64(digits), exponent)
        return isNegative ? -size : size
    }

    /// "0.001234567", "1.234567e-8"; zeros at the end are left out, and −0 keeps its sign.
    func write(to text: inout [UInt8]) {
        guard digits > 0 else { return text += isNegative ? "-0.0".utf8 : "0".utf8 }
        var left = digits, count = 7, power = exponent + 6
        while left % 10 == 0 { (left, count) = (left / 10, count - 1) }
        let isPlain = power >= -5 && power < 7, zeros = isPlain ? max(0, -power) : 0, whole = isPlain && power > 0 ? power + 1 : 1
        // From the last byte to the first: at most "-0.00001234567" or "-1.234567e-308".
        var bytes: (UInt64, UInt64) = (0, 0), length = 0
        func put(_ byte: UInt8) {
            bytes = (bytes.0 << 8 | UInt64(byte), bytes.1 << 8 | bytes.0 >> 56)
            length += 1
        }
        func put(_ digit: Int) { put(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)) }
        if !isPlain {
            let isBelow = power < 0
            if isBelow { power = -power }
            repeat {
                put(power % 10)
                power /= 10
            } while power > 0
            if isBelow { put(UInt8(ascii: "-")) }
            put(UInt8(ascii: "e"))
        }
        for place in stride(from: max(count, whole - zeros) + zeros - 1, through: 0, by: -1) {
            if place >= zeros && place < zeros + count {
                put(left % 10)
                left /= 10
            } else { put(0) }
            if place == whole && place > 0 { put(UInt8(ascii: ".")) }
        }
        if isNegative { put(UInt8(ascii: "-")) }
        unsafe withUnsafeBytes(of: (bytes.0.littleEndian, bytes.1.littleEndian)) { unsafe text.append(contentsOf: $0.prefix(length)) }
    }
}

/// digits·10^exponent, rounded once. O(1), and fast, of up to fifteen digits and 10^±22.
func decimal(_ digits: UInt64, _ exponent: Int) -> Double {
    if digits >> 53 == 0, abs(exponent) <= 22 { return exponent < 0 ? Double(digits) / powers[-exponent] : Double(digits) * powers[exponent] }
    return unsafe strtod("\(digits)e\(exponent)", nil)
}

/// value·10^exponent, to a few units in the last place.
private func scaledByPowerOf10(_ value: Double, _ exponent: Int) -> Double {
    if abs(exponent) <= 22 { return exponent < 0 ? value / powers[-exponent] : value * powers[exponent] }
    // Two factors, since 10^exponent alone may be beyond float64 where the number is not.
    return value * powerOf10(exponent / 2) * powerOf10(exponent - exponent / 2)
}

/// What pow gives, which takes as long as all the rest of a number.
private func powerOf10(_ exponent: Int) -> Double { allPowers[min(max(exponent, -mostExponent), mostExponent) + mostExponent] }

/// Beyond these a float64 is 0 or infinite.
private let mostExponent = 400, allPowers = (-mostExponent...mostExponent).map { pow(10, Double($0)) }

/// 10⁰ … 10²², each exact.
private let powers: [Double] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22]
