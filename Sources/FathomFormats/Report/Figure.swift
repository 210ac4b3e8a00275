/// What a `Page` shows as a picture: `Chart`, `Bars` or `HeatMap`. Each is a value that says what is measured; `svg` draws it, 440 units wide, in the
/// classes that a page styles for light, dark and paper. A value that is not finite is a gap.
public protocol Figure: Sendable {
    var title: String { get }
    /// Below the title: what the reader should see, how it was thinned. May be empty.
    var note: String { get }
    var svg: String { get }
}

/// How series are told apart: a colour of Okabe and Ito's, which the colour-blind tell apart too (Color Universal Design, 2008), and a shape.
enum Look {
    static let colors = 7

    /// "c0" … "c6".
    static func color(_ index: Int) -> String { "c\(((index % colors) + colors) % colors)" }

    /// The outline of a mark, relative to its middle, once that has been moved to.
    static func mark(_ index: Int, size s: Double = 3.2) -> String {
        let n = coordinate
        return switch ((index % 6) + 6) % 6 {
        case 0: "m\(n(-s)) 0a\(n(s)) \(n(s)) 0 1 0 \(n(2 * s)) 0a\(n(s)) \(n(s)) 0 1 0 \(n(-2 * s)) 0z"
        case 1: "m\(n(-s)) \(n(-s))h\(n(2 * s))v\(n(2 * s))h\(n(-2 * s))z"
        case 2: "m0 \(n(-s * 1.25))l\(n(s * 1.2)) \(n(s * 2.1))h\(n(-s * 2.4))z"
        case 3: "m0 \(n(-s * 1.35))l\(n(s * 1.35)) \(n(s * 1.35))l\(n(-s * 1.35)) \(n(s * 1.35))l\(n(-s * 1.35)) \(n(-s * 1.35))z"
        case 4: "m\(n(-s)) \(n(-s))l\(n(s)) \(n(s * 0.7))l\(n(s)) \(n(-s * 0.7))l\(n(-s * 0.7)) \(n(s))l\(n(s * 0.7)) \(n(s))"
            + "l\(n(-s)) \(n(-s * 0.7))l\(n(-s)) \(n(s * 0.7))l\(n(s * 0.7)) \(n(-s))z"
        default: "m0 \(n(s * 1.25))l\(n(s * 1.2)) \(n(-s * 2.1))h\(n(-s * 2.4))z"
        }
    }
}
