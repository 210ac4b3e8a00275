/// Everything that can go wrong, as one clear sentence: what, where, and what would be right.
public enum FathomError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Notation that does not parse.
    case notation(NotationError)
    /// Data, a recipe, an argument or a file's content that cannot be right.
    case invalid(String)
    /// An input that does not exist.
    case noSuchInput(String)
    /// An output that cannot be created.
    case cannotCreate(String)
    /// Reading or writing failed.
    case inputOutput(String)
    /// Training diverged at this step.
    case notFinite(step: Int, String)
    /// It does not fit in memory.
    case tooLarge(String)

    public var description: String {
        switch self {
        case .notation(let error): error.description
        case .invalid(let message), .noSuchInput(let message), .cannotCreate(let message), .inputOutput(let message),
             .notFinite(_, let message), .tooLarge(let message):
            message
        }
    }
}

/// Where a piece of notation is wrong, and what would be right.
public struct NotationError: Error, Equatable, Sendable, CustomStringConvertible {
    public let source: String
    /// From 1.
    public let column: Int
    public let message: String

    public init(source: String, column: Int, message: String) {
        self.source = source
        self.column = column
        self.message = message
    }

    public var description: String {
        "\(message)\n\(source)\n\(String(repeating: " ", count: max(0, column - 1)))^"
    }
}
