/// Reads terms, one character ahead. The grammar is in Documentation/notation.md.
struct Parser {
    /// How deep brackets may be nested: the parser's recursion stays shallow on any thread's stack.
    static let deepest = 64
    /// How often a term may be repeated, and how many layers a network may have.
    static let mostRepetitions = 1_000_000

    private let source: String
    private let characters: [Character]
    private let blocks: Set<String>
    private let example: String
    private var offset = 0

    init(_ source: String, blocks: Set<String>, example: String) {
        self.source = source
        self.blocks = blocks
        self.example = example
        characters = Array(source)
    }

    private var here: Position { Position(source: source, offset: offset) }
    private var character: Character? { offset < characters.count ? characters[offset] : nil }

    private mutating func skipSpace() {
        while let character, character.isWhitespace { offset += 1 }
    }

    /// Takes the next character, after white space, where it is the one asked for.
    private mutating func take(_ wanted: Character) -> Bool {
        skipSpace()
        guard character == wanted else { return false }
        offset += 1
        return true
    }

    // MARK: Terms

    /// The terms up to the end, or, inside a bracket, up to its `]`, which is taken.
    mutating func terms(inside bracket: Position?, depth: Int) throws(FathomError) -> [Term] {
        var terms: [Term] = []
        while true {
            skipSpace()
            if let bracket, character == nil { throw bracket.error("unclosed '['", "add the ']' that closes it") }
            if bracket != nil, take("]") { return terms }
            guard character != nil else { return terms }
            terms.append(try repeated(term(depth: depth)))
        }
    }

    private mutating func term(depth: Int) throws(FathomError) -> Term {
        let start = here
        if take("[") {
            return Term(name: nil, arguments: [], group: try group(openedAt: start, depth: depth), position: start)
        }
        guard let name = name() else { throw unexpected() }
        let arguments = try arguments(depth: depth)
        skipSpace()
        let bracket = here
        let group = blocks.contains(name) && take("[") ? try group(openedAt: bracket, depth: depth) : nil
        return Term(name: name, arguments: arguments, group: group, position: start)
    }

    private mutating func group(openedAt bracket: Position, depth: Int) throws(FathomError) -> [Term] {
        try checkDepth(depth, bracket)
        let terms = try terms(inside: bracket, depth: depth + 1)
        if terms.isEmpty { throw bracket.error("empty group", "write layers between '[' and ']'") }
        return terms
    }

    private func checkDepth(_ depth: Int, _ bracket: Position) throws(FathomError) {
        if depth >= Self.deepest { throw bracket.error("bracket \(depth + 1) levels deep", "at most \(Self.deepest) levels can be nested") }
    }

    /// The term with the `* n` that follows it, if any.
    private mutating func repeated(_ term: Term) throws(FathomError) -> Term {
        guard take("*") else { return term }
        skipSpace()
        let position = here
        guard let (value, text) = try number() else {
            throw position.error("no count after '*'", "a whole number follows it, as in [linear(128) relu] * 2")
        }
        guard let times = Int(exactly: value), (1...Self.mostRepetitions).contains(times) else {
            throw position.error("repetition '* \(text.shortened)'", "the count must be a whole number from 1 to \(Self.mostRepetitions)")
        }
        skipSpace()
        if character == "*" { throw here.error("second '*'", "one count follows a group; nest groups to multiply: [[ … ] * 2] * 3") }
        var term = term
        term.times = times
        term.timesPosition = position
        return term
    }

    // MARK: Arguments

    private mutating func arguments(depth: Int) throws(FathomError) -> [Argument] {
        skipSpace()
        let bracket = here
        guard take("(") else { return [] }
        try checkDepth(depth, bracket)
        if take(")") { return [] }
        var arguments: [Argument] = []
        repeat {
            arguments.append(try argument(depth: depth + 1))
        } while take(",")
        if take(")") { return arguments }
        guard let character else { throw bracket.error("unclosed '('", "add the ')' that closes it") }
        throw here.error("unexpected \(Self.quoted(character))", "',' or ')' belongs here: arguments are separated by commas")
    }

    private mutating func argument(depth: Int) throws(FathomError) -> Argument {
        skipSpace()
        let start = offset
        if let label = name() {
            skipSpace()
            let separator = here
            let usesEquals = character == "="
            if take(":") || take("=") {
                return try value(label: label, at: start, equals: usesEquals ? separator : nil, depth: depth)
            }
            offset = start
        }
        return try value(label: nil, at: start, equals: nil, depth: depth)
    }

    private mutating func value(label: String?, at labelOffset: Int, equals: Position?, depth: Int) throws(FathomError) -> Argument {
        skipSpace()
        let position = here
        let value: Argument.Value
        if let (number, _) = try number() {
            value = try divisor(depth: depth).map { .quotient(number, $0) } ?? .number(number)
        } else if character?.isLetter == true {
            value = .term(try term(depth: depth))
        } else if try skipForeign() {
            value = .foreign
        } else {
            throw unexpected(inArgument: true)
        }
        return Argument(
            label: label, labelPosition: Position(source: source, offset: labelOffset), equals: equals, value: value,
            text: String(characters[position.offset..<offset]), position: position)
    }

    /// The term after a '/', as in 1/sqrt(depth); nil, and nothing taken, where there is no '/'.
    private mutating func divisor(depth: Int) throws(FathomError) -> Term? {
        let end = offset
        guard take("/") else {
            offset = end
            return nil
        }
        skipSpace()
        guard character?.isLetter == true else { throw unexpected(inArgument: true) }
        return try term(depth: depth)
    }

    /// Skips a tuple, a list or a quoted text of another language, so that the argument's label can be judged first.
    private mutating func skipForeign() throws(FathomError) -> Bool {
        let opening = here
        switch character {
        case "\"", "'":
            let quote = character
            repeat { offset += 1 } while character != nil && character != quote
            guard character != nil else { throw opening.error("unclosed quotation mark", "names are written without quotation marks") }
            offset += 1
        case "(", "[", "{":
            var depth = 0
            repeat {
                switch character {
                case "(", "[", "{": depth += 1
                case ")", "]", "}": depth -= 1
                case nil: throw opening.error("unclosed \(Self.quoted(characters[opening.offset]))", "add the bracket that closes it")
                default: break
                }
                offset += 1
            } while depth > 0
        default: return false
        }
        return true
    }

    // MARK: Words

    /// A letter, then letters, digits, `_` and `-`.
    private mutating func name() -> String? {
        guard let first = character, first.isLetter else { return nil }
        let start = offset
        while let character, character.isLetter || character.isNumber || character == "_" || character == "-" { offset += 1 }
        return String(characters[start..<offset])
    }

    /// A decimal number with an optional sign, fraction and exponent, and its text.
    private mutating func number() throws(FathomError) -> (Double, String)? {
        let start = here
        var end = offset
        func at(_ index: Int) -> Character? { index < characters.count ? characters[index] : nil }
        func isDigit(_ character: Character?) -> Bool { character.map { "0"..."9" ~= $0 && $0.isASCII } ?? false }
        if at(end) == "-" || at(end) == "+" { end += 1 }
        guard isDigit(at(end)) || at(end) == "." && isDigit(at(end + 1)) else { return nil }
        while let next = at(end), next.isLetter || next.isNumber || next == "." || next == "_"
            || (next == "-" || next == "+") && (at(end - 1) == "e" || at(end - 1) == "E") { end += 1 }
        let text = String(characters[offset..<end])
        let plain = text.allSatisfy { isDigit($0) || "+-.eE".contains($0) }
        guard plain, let value = Double(text) else {
            throw start.error("malformed number '\(text.shortened)'", "write it as in 128, 0.001 or 1e-3")
        }
        guard value.isFinite else { throw start.error("number '\(text.shortened)' too large", "numbers reach 3.4e38, as float32's do") }
        let mantissa = text.prefix { $0 != "e" && $0 != "E" }
        guard value != 0 || !mantissa.contains(where: { "1"..."9" ~= $0 }) else {
            throw start.error("number '\(text.shortened)' too small", "write 0, or at least 1e-45, as float32 does")
        }
        offset = end
        return (value, text)
    }

    // MARK: What does not belong

    static func quoted(_ character: Character) -> String {
        guard character.isInvisible else { return "'\(character)'" }
        let code = String(character.unicodeScalars.first!.value, radix: 16, uppercase: true)
        return "character U+" + String(repeating: "0", count: max(0, 4 - code.count)) + code
    }

    /// The error for a character that starts nothing.
    private mutating func unexpected(inArgument: Bool = false) -> FathomError {
        let position = here
        let wanted = inArgument ? "a value, a number or a name, belongs here" : "a name belongs here"
        guard let character else { return position.error("text ends too early", wanted) }
        if let number = try? number() {
            let text = number.1.shortened
            return take("*")
                ? position.error("count '\(text)' before '*'", "it comes after: [ … ] * \(text)")
                : position.error("unexpected number '\(text)'", "numbers belong as in \(example)")
        }
        let remedy = switch character {
        case "−", "–", "—": "a minus is written with '-'"
        case _ where inArgument: wanted
        case "]", ")", "}": "nothing is open for it to close"
        case "{": "groups are written with '[' and ']', arguments with '(' and ')'"
        case ":", "=": "arguments are written in parentheses, as in \(example)"
        case "(": "a name comes before it; groups are written with '[' and ']'"
        case "*": "a layer or a group comes before it"
        case "×", "·", "✕", "∗": "repetition is written with '*'"
        case ",", ";", "|", ">", "-", "+", "/", "&", "→": "parts are separated by white space alone"
        case "'", "\"", "“", "”", "‘", "’", "`": "names are written without quotation marks"
        default: wanted
        }
        return position.error("unexpected \(Self.quoted(character))", remedy)
    }
}
