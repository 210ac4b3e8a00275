/// A value with a notation: what `description` prints, `init(_:)` reads back as an equal value.
public protocol NotationRepresentable: Sendable, Hashable, Codable, CustomStringConvertible {
    /// - Throws: `FathomError.notation`, naming the column and what would be right.
    init(_ notation: String) throws(FathomError)
}

extension NotationRepresentable {
    /// A value is encoded as its notation.
    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// Throws the error that the value's notation would, where the value was made in Swift from numbers out of range.
    public func validate() throws(FathomError) {
        _ = try Self(description)
    }
}

/// `name(argument, …)`, without parentheses where there are no arguments; a nil argument is left out.
func notation(_ name: String, _ arguments: String?...) -> String {
    let given = arguments.compactMap(\.self)
    return given.isEmpty ? name : "\(name)(\(given.joined(separator: ", ")))"
}

/// `label: value`, or nil where the value is the default.
func labelled<Value: Equatable>(_ label: String, _ value: Value, default standard: Value) -> String? {
    value == standard ? nil : "\(label): \(value)"
}
