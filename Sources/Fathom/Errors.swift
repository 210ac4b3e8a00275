/// What can go wrong: each case is one kind of failure, with one clear sentence saying what, where and what would be right.
public enum FathomError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A notation that does not parse, or asks for what cannot be.
    case notation(NotationError)
    /// Data, a recipe, an argument or the content of a file that cannot be right.
    case invalid(String)
    /// A file or data set that is not there, or cannot be read.
    case noSuchInput(String)
    /// An output that cannot be created.
    case cannotCreate(String)
    /// Reading or writing that failed under way: a full disk, a broken pipe.
    case inputOutput(String)
    /// The loss or the gradient of a step is not finite; the parameters are those of the step before.
    case notFinite(step: Int, String)
    /// What does not fit in memory.
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
