/// A place in a notation, `offset` characters from its start.
package struct Position: Hashable, Sendable {
    let source: String
    let offset: Int

    func error(_ problem: String, _ remedy: String) -> FathomError {
        .notation(NotationError(problem, at: self, remedy))
    }
}

/// A parsed piece of notation, `name(argument, label: argument)[term …] * times`, or `[term …] * times` without a name.
package struct Term: Sendable {
    package let name: String?
    let arguments: [Argument]
    let group: [Term]?
    var times = 1
    package let position: Position
    /// The place of the count of repetitions, where one is written.
    var timesPosition: Position?
}

struct Argument: Sendable {
    enum Value: Sendable {
        case number(Double)
        /// A number divided by a term: 1/sqrt(depth).
        case quotient(Double, Term)
        /// A name, with or without arguments of its own.
        case term(Term)
        /// What other languages put here and the notation does not know: a tuple, a list, a quoted text.
        case foreign
    }

    let label: String?
    let labelPosition: Position
    /// The place of a `=` written where `:` belongs.
    let equals: Position?
    let value: Value
    /// The value as it was written.
    let text: String
    let position: Position
}

/// The terms of a notation.
///
/// - Parameters:
///   - blocks: Names that take the `[ … ]` after them as their own; after every other name it starts a group.
///   - example: Where numbers belong, for messages.
func parseTerms(_ source: String, blocks: Set<String> = [], example: String) throws(FathomError) -> [Term] {
    var parser = Parser(source, blocks: blocks, example: example)
    return try parser.terms(inside: nil, depth: 0)
}

/// The one term of a notation that is neither grouped nor repeated.
///
/// - Parameters:
///   - kind: What the term is, for messages: `optimizer`.
///   - example: A term that would be right.
package func parseTerm(_ source: String, _ kind: String, example: String) throws(FathomError) -> Term {
    let terms = try parseTerms(source, example: example)
    guard let term = terms.first else {
        throw Position(source: source, offset: 0).error("no \(kind)", "write one, as in \(example)")
    }
    guard term.name != nil else { throw term.position.error("unexpected '['", "write one \(kind), as in \(example)") }
    if let position = term.timesPosition { throw position.error("unexpected repetition", "a notation has one \(kind), as in \(example)") }
    if terms.count > 1 { throw terms[1].position.error("unexpected second \(kind)", "write one, as in \(example)") }
    return term
}
