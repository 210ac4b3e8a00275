/// The outcome of reading a number from bytes.
enum Number<Value> {
    case value(Value)
    /// "nan", "inf" or "infinity", in any case, or too large for the type.
    case notFinite
    case notANumber
}

/// A decimal number as written: `negative`, mantissa · 10^exponent.
private struct Decimal {
    var negative = false
    var mantissa: UInt64 = 0
    var exponent = 0
}

/// 10⁰ … 10⁶⁴, each correctly rounded; exact up to 10²². Written out, so that they are data and not made when first used.
private let powersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24,
    1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34, 1e35, 1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43, 1e44, 1e45, 1e46, 1e47,
    1e48, 1e49, 1e50, 1e51, 1e52, 1e53, 1e54, 1e55, 1e56, 1e57, 1e58, 1e59, 1e60, 1e61, 1e62, 1e63, 1e64,
]

/// Reads sign, digits, point and exponent from `position`, and moves it behind them: `[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?`.
@inline(__always)
private func scanDecimal(_ bytes: UnsafeBufferPointer<UInt8>, _ position: inout Int, end: Int) -> Decimal? {
    var result = Decimal(), p = position
    if p < end, bytes[p] == 0x2D || bytes[p] == 0x2B {
        result.negative = bytes[p] == 0x2D
        p += 1
    }
    let start = p
    p = scanDigits(bytes, p, end, &result.mantissa)
    var digits = p - start
    if p < end, bytes[p] == 0x2E {
        let point = p
        p = scanDigits(bytes, p + 1, end, &result.mantissa)
        result.exponent = point + 1 - p
        digits = p - start - 1
    }
    guard digits > 0 else { return nil }
    if digits > 19 { (result.mantissa, result.exponent) = leadingDigits(bytes[start ..< p]) }  // the mantissa may have overflown
    if p < end, bytes[p] | 0x20 == 0x65 {
        guard let exponent = scanExponent(bytes, &p, end) else { return nil }
        result.exponent += exponent
    }
    position = p
    return result
}

@inline(__always)
private func scanDigits(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int, _ mantissa: inout UInt64) -> Int {
    var p = start
    while p < end, case let digit = bytes[p] &- 0x30, digit < 10 {
        mantissa = mantissa &* 10 &+ UInt64(digit)
        p += 1
    }
    return p
}

/// The first 19 significant digits of more, and the power of ten that they stand for; the others are dropped.
@inline(never)
private func leadingDigits(_ digits: Slice<UnsafeBufferPointer<UInt8>>) -> (mantissa: UInt64, exponent: Int) {
    var mantissa: UInt64 = 0, exponent = 0, significant = 0, isFraction = false
    for byte in digits {
        if byte == 0x2E {
            isFraction = true
        } else if significant < 19 {
            mantissa = mantissa * 10 + UInt64(byte &- 0x30)
            if mantissa != 0 { significant += 1 }
            if isFraction { exponent -= 1 }
        } else if !isFraction {
            exponent += 1
        }
    }
    return (mantissa, exponent)
}

/// `e`, a sign and digits; nil where there are no digits. Beyond a million the exact value no longer matters.
@inline(never)
private func scanExponent(_ bytes: UnsafeBufferPointer<UInt8>, _ p: inout Int, _ end: Int) -> Int? {
    p += 1
    var negative = false, exponent = 0
    if p < end, bytes[p] == 0x2D || bytes[p] == 0x2B {
        negative = bytes[p] == 0x2D
        p += 1
    }
    let start = p
    while p < end, case let digit = bytes[p] &- 0x30, digit < 10 {
        exponent = min(exponent * 10 + Int(digit), 1_000_000)
        p += 1
    }
    return p == start ? nil : negative ? -exponent : exponent
}

/// The number that begins at `position`, correctly rounded to float32, and `position` moved behind it; nil, without a move, where no
/// plain number begins there or it is beyond the type.
///
/// mantissa · 10^exponent in float64 is off by at most 3 units in the last place (mantissa, power and product are each rounded once, the
/// dropped digits weigh less than 2⁻⁵⁹). So unless the 29 bits below float32's last are within 4 of a tie, rounding it gives the float32
/// nearest to what is written. The rest goes the slow way, by `Float(_:)`.
func scanFloat(_ bytes: UnsafeBufferPointer<UInt8>, _ position: inout Int, end: Int) -> Float? {
    var p = position
    guard let decimal = scanDecimal(bytes, &p, end: end) else { return nil }
    var result: Float
    if decimal.mantissa == 0 {
        result = 0
    } else if decimal.exponent == 0, decimal.mantissa <= 1 << 53 {
        result = Float(decimal.mantissa)
    } else {
        let power = decimal.exponent.magnitude
        guard power <= 64 else { return slowly(bytes, &position, p) }
        let mantissa = Double(decimal.mantissa)
        let value = decimal.exponent < 0 ? mantissa / powersOfTen[Int(power)] : mantissa * powersOfTen[Int(power)]
        let fromTie = (value.bitPattern & 0x1FFF_FFFF) &- (0x1000_0000 - 4)
        guard fromTie > 8, value >= Double(Float.leastNormalMagnitude) else { return slowly(bytes, &position, p) }
        result = Float(value)
    }
    guard result.isFinite else { return nil }
    position = p
    return decimal.negative ? -result : result
}

@inline(never)
private func slowly(_ bytes: UnsafeBufferPointer<UInt8>, _ position: inout Int, _ end: Int) -> Float? {
    let text = String(decoding: bytes[position ..< end], as: UTF8.self)
    guard let value = Float(text), value.isFinite else { return nil }
    position = end
    return value
}

/// All of `bytes` as one float32, correctly rounded.
func parseFloat(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int) -> Number<Float> {
    var position = start
    if let value = scanFloat(bytes, &position, end: end), position == end { return .value(value) }
    return classifyFailure(bytes, start, end)
}

/// All of `bytes` as one float64, correctly rounded.
func parseDouble(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, to end: Int) -> Number<Double> {
    var position = start
    guard let decimal = scanDecimal(bytes, &position, end: end), position == end else { return classifyFailure(bytes, start, end) }
    let power = decimal.exponent.magnitude
    if decimal.mantissa <= 1 << 53, power <= 22 {  // both exact, so one rounding
        let mantissa = Double(decimal.mantissa)
        let value = decimal.exponent < 0 ? mantissa / powersOfTen[Int(power)] : mantissa * powersOfTen[Int(power)]
        return .value(decimal.negative ? -value : value)
    }
    guard let value = Double(String(decoding: bytes[start ..< end], as: UTF8.self)), value.isFinite else { return .notFinite }
    return .value(value)
}

private func classifyFailure<Value>(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Number<Value> {
    var position = start
    if scanDecimal(bytes, &position, end: end) != nil { return position == end ? .notFinite : .notANumber }
    guard end - start <= 9 else { return .notANumber }
    var word = bytes[start ..< end].map { $0 | 0x20 }
    if let sign = bytes[start ..< end].first, sign == 0x2B || sign == 0x2D { word.removeFirst() }
    return ["nan", "inf", "infinity"].contains(String(decoding: word, as: UTF8.self)) ? .notFinite : .notANumber
}
