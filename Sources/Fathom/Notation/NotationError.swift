/// A place in a notation that cannot be right.
public struct NotationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The whole text that was read.
    public let source: String
    /// The line of the text, counted from 1.
    public let line: Int
    /// The character of the line, counted from 1; one past the last where the text ends too early.
    public let column: Int
    /// One sentence: what is wrong, at which column, and what would be right.
    public let message: String

    /// - Parameters:
    ///   - problem: What is wrong, without the place: `unknown layer 'lnear'`.
    ///   - remedy: What would be right: `did you mean 'linear'?`.
    init(_ problem: String, at position: Position, _ remedy: String) {
        let before = position.source.prefix(position.offset)
        source = position.source
        line = 1 + before.count(where: \.isNewline)
        column = 1 + before.reversed().prefix { !$0.isNewline }.count
        let place = source.contains(where: \.isNewline) ? "line \(line), column \(column)" : "column \(column)"
        message = "\(problem) at \(place); \(remedy)"
    }

    /// The message, then the line, then a caret below the column. A long line is shown around the caret only.
    public var description: String {
        let text = source.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)[line - 1].map(Self.printable)
        let reach = 60
        let start = max(0, column - 1 - reach), end = min(text.count, column - 1 + reach)
        let shown = (start > 0 ? "…" : "") + String(text[start..<end]) + (end < text.count ? "…" : "")
        let indent = (start > 0 ? " " : "") + text[start..<min(column - 1, end)].map(Self.blank).joined()
        return "\(message)\n  \(shown)\n  \(indent)^"
    }

    /// Control and other invisible characters would spoil a terminal.
    private static func printable(_ character: Character) -> Character {
        character != "\t" && character.isInvisible ? "\u{FFFD}" : character
    }

    /// White space as wide as the character on a terminal.
    private static func blank(_ character: Character) -> String {
        character == "\t" ? "\t" : character.isWide ? "  " : " "
    }
}

extension Character {
    /// Whether nothing is seen where it is printed: control, format, surrogate, private and unassigned characters.
    var isInvisible: Bool {
        switch unicodeScalars.first!.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: true
        default: false
        }
    }

    /// Whether a terminal gives it two cells: the wide and full-width ranges of Unicode's annex 11, roughly.
    fileprivate var isWide: Bool {
        switch unicodeScalars.first!.value {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6,
            0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            true
        default: false
        }
    }
}
