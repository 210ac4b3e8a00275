import Foundation

/// Text as it stands in HTML and SVG, between tags or in an attribute. Characters that XML cannot hold become �.
func escaped(_ text: String) -> String {
    // As a rule there is nothing to do. Noncharacters begin with a byte from EF on.
    func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x22, 0x26, 0x27, 0x3C, 0x3E, 0x7F, 0xEF...: false  // " & ' < >
        case ..<0x20: byte == 0x0A || byte == 0x09 || byte == 0x0D
        default: true
        }
    }
    if text.utf8.allSatisfy(isPlain) { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "'": result += "&#39;"
        case "\t", "\n", "\r": result.unicodeScalars.append(scalar)
        case _ where scalar.value < 0x20 || scalar.value == 0x7F || scalar.value & 0xFFFE == 0xFFFE: result += "\u{FFFD}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}

/// Escaped text whose lines do not end within a number: not after the sign of an exponent.
func prose(_ text: String) -> String { escaped(text).replacing(/[0-9.]+e-[0-9]+/) { "<span class=\"whole\">\($0.output)</span>" } }

/// A place in a figure, to a tenth of its unit: "12", "12.3".
func coordinate(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    guard tenths % 10 != 0 else { return String(tenths / 10) }
    return (tenths < 0 && tenths > -10 ? "-0" : String(tenths / 10)) + "." + String(abs(tenths % 10))
}

/// Four significant digits, or all of a whole part of up to seven, as tooltips and tables have them.
public func numberText(_ value: Double) -> String {
    if abs(value) < 1e7, value == value.rounded() || abs(value) >= 1000 { return String(Int(value.rounded())) }
    guard value.isFinite else { return value.isNaN ? "no value" : value > 0 ? "∞" : "-∞" }
    if let text = plainNumberText(value) { return text }
    let text = String(format: "%.4g", value)
    guard let e = text.firstIndex(of: "e"), let exponent = Int(text[text.index(after: e)...]) else { return text }
    return "\(text[..<e])e\(exponent)"
}

/// Of a number from 10⁻⁴ up to 1000 that is not halfway between two of four digits: most of a report's, in a tenth of the time that a format takes.
private func plainNumberText(_ value: Double) -> String? {
    let size = abs(value)
    guard size >= 1e-4, size < 1000 else { return nil }
    var decimals = size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : size >= 0.1 ? 4 : size >= 0.01 ? 5 : size >= 0.001 ? 6 : 7
    let powers = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7], scaled = size * powers[decimals], rest = scaled - scaled.rounded(.down)
    // The powers are exact, so a product is rounded to the middle or stays on its side of it.
    guard rest != 0.5 else { return nil }
    var digits = Int(scaled.rounded()), text: [UInt8] = []
    while decimals > 0, digits % 10 == 0 { (digits, decimals) = (digits / 10, decimals - 1) }
    var place = 0
    while digits > 0 || place <= decimals {
        if place == decimals, place > 0 { text.append(UInt8(ascii: ".")) }
        text.append(UInt8(ascii: "0") + UInt8(digits % 10))
        (digits, place) = (digits / 10, place + 1)
    }
    return String(decoding: (value < 0 ? [UInt8(ascii: "-")] : []) + text.reversed(), as: UTF8.self)
}

/// `text`, its middle left out where it has more than `count` characters.
func shortened(_ text: String, to count: Int) -> String {
    guard text.count > count, count > 2 else { return text }
    return text.prefix((count - 1) / 2) + "…" + text.suffix(count / 2)
}

/// The shapes and texts of a figure. Classes, whose colours follow the page's light or dark, are in `pageStyle`.
struct Drawing {
    /// Of every figure: on a telephone it is drawn at 0.8 of its size, beside another on a wide page at 1.2.
    static let width = 440.0
    /// Of a letter, on average, of a wide typeface; texts are placed by it, since no browser is asked how wide they are.
    static let letter = 7.2
    /// Of a digit, which is wider than a letter on average.
    static let digit = 7.7

    private(set) var body = ""

    mutating func text(_ x: Double, _ y: Double, _ text: String, _ classes: String = "") {
        body += "<text x=\"\(coordinate(x))\" y=\"\(coordinate(y))\"\(classes.isEmpty ? "" : " class=\"\(classes)\"")>\(escaped(text))</text>"
    }

    mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ classes: String) {
        body += "<path class=\"\(classes)\" d=\"M\(coordinate(x1)) \(coordinate(y1))L\(coordinate(x2)) \(coordinate(y2))\"/>"
    }

    /// - Parameter title: a tooltip.
    mutating func path(_ d: String, _ classes: String, title: String? = nil) {
        guard !d.isEmpty else { return }
        body += "<path class=\"\(classes)\" d=\"\(d)\"" + (title.map { "><title>\(escaped($0))</title></path>" } ?? "/>")
    }

    mutating func rectangle(_ x: Double, _ y: Double, _ width: Double, _ height: Double, _ classes: String, title: String? = nil) {
        let (width, height) = (max(0, width), max(0, height))
        path("M\(coordinate(x)) \(coordinate(y))h\(coordinate(width))v\(coordinate(height))h\(coordinate(-width))z", classes, title: title)
    }

    mutating func raw(_ markup: String) { body += markup }

    /// Begins a picture in the picture, which cuts off what lies outside. (A clipping path would need a name that no other figure of the page has.)
    /// - Parameter units: across and down, of what is drawn in it; nil: those around it.
    mutating func begin(x: Double, y: Double, width: Double, height: Double, units: (across: Int, down: Int)? = nil) {
        let place = "x=\"\(coordinate(x))\" y=\"\(coordinate(y))\" width=\"\(coordinate(width))\" height=\"\(coordinate(height))\""
        let box = units.map { "0 0 \($0.across) \($0.down)" } ?? "\(coordinate(x)) \(coordinate(y)) \(coordinate(width)) \(coordinate(height))"
        body += "<svg \(place) viewBox=\"\(box)\"\(units == nil ? "" : " preserveAspectRatio=\"none\"")>"
    }

    mutating func end() { body += "</svg>" }

    func svg(height: Double, title: String) -> String {
        "<svg viewBox=\"0 0 \(coordinate(Self.width)) \(coordinate(height))\" role=\"img\" aria-label=\"\(escaped(title))\">\(body)</svg>"
    }
}

/// Names beside samples of what they stand for, in as many rows as they need.
struct Legend {
    struct Entry {
        let name: String
        /// Markup of the sample, 20 wide, around its left middle.
        let sample: (_ x: Double, _ y: Double) -> String
    }

    static let rowHeight = 17.0
    private let placed: [(entry: Entry, x: Double, row: Int)]

    init(_ entries: [Entry], left: Double) {
        var placed: [(Entry, Double, Int)] = [], x = left, row = 0
        for entry in entries {
            let name = shortened(entry.name, to: 48), width = 26 + Double(name.count) * Drawing.letter + 12
            if x > left, x + width > Drawing.width {
                (x, row) = (left, row + 1)
            }
            placed.append((Entry(name: name, sample: entry.sample), x, row))
            x += width
        }
        self.placed = placed
    }

    var height: Double { placed.last.map { Double($0.row + 1) * Self.rowHeight + 4 } ?? 0 }

    func draw(_ drawing: inout Drawing, top: Double) {
        for (entry, x, row) in placed {
            let y = top + (Double(row) + 0.6) * Self.rowHeight
            drawing.raw(entry.sample(x, y))
            drawing.text(x + 26, y + 4, entry.name)
        }
    }
}
