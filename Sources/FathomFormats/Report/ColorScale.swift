import Foundation

/// The colours of a heat map: levels that look equally far apart, and whose lightness alone orders them, so that the colour-blind and a printer
/// without colours see the same map. Made in the OKLab space (Ottosson 2020).
struct ColorScale {
    static let levels = 48

    /// "#rrggbb", from the lowest level to the highest.
    let colors: [String]

    /// From a dark blue over green to a light yellow.
    static let sequential = ColorScale { t in (0.26 + 0.66 * t, -0.36 * t * (1 - t) + 0.02 - 0.06 * t, -0.13 + 0.30 * t) }

    /// From blue over nearly white to a dark orange: for values around zero.
    static let diverging = ColorScale { t in
        let side = abs(2 * t - 1), lightness = 0.95 - 0.45 * side
        return t < 0.5 ? (lightness, -0.03 * side, -0.15 * side) : (lightness, 0.11 * side, 0.10 * side)
    }

    /// - Parameter path: OKLab of 0 … 1.
    private init(_ path: (Double) -> (l: Double, a: Double, b: Double)) {
        colors = (0..<Self.levels).map { Self.hexadecimal(path(Double($0) / Double(Self.levels - 1))) }
    }

    /// The level of a value in a range.
    static func level(_ value: Double, in range: ClosedRange<Double>) -> Int {
        // Halves, since a difference of float64s may be beyond float64.
        let share = (value / 2 - range.lowerBound / 2) / (range.upperBound / 2 - range.lowerBound / 2)
        return share.isNaN ? levels / 2 : Int((min(max(share, 0), 1) * Double(levels - 1)).rounded())
    }

    private static func hexadecimal(_ lab: (l: Double, a: Double, b: Double)) -> String {
        let l = pow(lab.l + 0.3963377774 * lab.a + 0.2158037573 * lab.b, 3)
        let m = pow(lab.l - 0.1055613458 * lab.a - 0.0638541728 * lab.b, 3)
        let s = pow(lab.l - 0.0894841775 * lab.a - 1.2914855480 * lab.b, 3)
        let linear = [
            4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s, -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
            -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
        ]
        return "#" + linear.map { channel in
            let value = channel <= 0.0031308 ? 12.92 * channel : 1.055 * pow(channel, 1 / 2.4) - 0.055
            let byte = String(Int((min(max(value, 0), 1) * 255).rounded()), radix: 16)
            return byte.count < 2 ? "0" + byte : byte
        }.joined()
    }
}
