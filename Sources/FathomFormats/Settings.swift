import Fathom
import FathomData
import Foundation
import Yams

/// What has been asked for, key by key, as text with the place it stands at. The lines of a recipe and the flags of a command are read alike.
public struct Settings: Sendable {
    public struct Setting: Sendable, Equatable {
        public let text: String
        /// What an error begins with: "digits.yaml:3: batch", or "--batch".
        public let subject: String
    }

    private var settings: [RecipeKey: Setting] = [:]

    public init() {}

    public subscript(key: RecipeKey) -> Setting? { settings[key] }

    /// What an error about `key` begins with, given or not.
    public func subject(_ key: RecipeKey) -> String { settings[key]?.subject ?? key.rawValue }

    /// A flag, which wins over what was there.
    public mutating func set(_ key: RecipeKey, flag text: String) {
        settings[key] = Setting(text: text, subject: "--" + key.rawValue)
    }

    public mutating func remove(_ key: RecipeKey) {
        settings[key] = nil
    }

    /// Reads the recipe at `path`.
    /// - Throws: `noSuchInput` where it cannot be read, `invalid` with file and line where it is not a recipe.
    public init(contentsOf path: String) throws {
        var isDirectory: ObjCBool = false
        guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw FathomError.noSuchInput("there is no recipe '\(path)'")
        }
        guard !isDirectory.boolValue else {
            throw FathomError.invalid("\(path) is a folder, not a recipe; the recipe of a run is recipe.yaml in its folder")
        }
        var bytes: [UInt8]?
        do { bytes = try readBytes(path, limit: 1 << 20) } catch .tooLarge {}
        guard let bytes, let text = String(validating: bytes, as: UTF8.self) else {
            throw FathomError.invalid("\(path) is not a recipe: a recipe is a short YAML text of lines like 'batch: 128'")
        }
        try self.init(yaml: text, name: path)
    }

    /// Reads a recipe's text, a byte order mark before it or not; `name` is what errors call it.
    public init(yaml: String, name: String) throws {
        let root: Node?
        do {
            let hasMark = yaml.unicodeScalars.first == "\u{FEFF}"
            root = try Yams.compose(yaml: Self.quotingNotation(hasMark ? String(yaml.unicodeScalars.dropFirst()) : yaml))
        } catch let error as YamlError {
            throw FathomError.invalid("\(name):" + Self.sentence(error))
        }
        guard let root else { return }
        guard case .mapping(let mapping) = root else {
            throw FathomError.invalid("\(name):\(root.mark?.line ?? 1): a recipe is lines like 'batch: 128'")
        }
        for (keyNode, valueNode) in mapping {
            let place = "\(name):\(keyNode.mark?.line ?? valueNode.mark?.line ?? 1)"
            guard case .scalar(let keyScalar) = keyNode else {
                throw FathomError.invalid("\(place): a key must be a word, one of \(Self.allKeys)")
            }
            guard let key = RecipeKey(rawValue: keyScalar.string) else {
                let advice = RecipeKey.suggestion(for: keyScalar.string).map { "did you mean '\($0.rawValue)'?" } ?? "the keys are \(Self.allKeys)"
                throw FathomError.invalid("\(place): unknown key '\(keyScalar.string)'; \(advice)")
            }
            let subject = "\(place): \(key.rawValue)"
            var text = try Self.text(of: valueNode, subject: subject)
            // A column or a file may be called so that its name needs its quotes.
            if case .scalar(let scalar) = valueNode, !Self.isPlain(scalar), key == .target || key == .data { text = scalar.string }
            settings[key] = Setting(text: text, subject: subject)
        }
    }

    static let allKeys = RecipeKey.allCases.map(\.rawValue).joined(separator: ", ")

    /// What YAML reads as no value, without quotes.
    static let nothings: Set = ["", "~", "null", "Null", "NULL"]

    private static func isPlain(_ scalar: Node.Scalar) -> Bool { scalar.style == .plain || scalar.style == .any }

    /// A value's text; `{every: 100}` is the text `every: 100`.
    private static func text(of node: Node, subject: String) throws -> String {
        switch node {
        case .scalar(let scalar):
            guard !(isPlain(scalar) && nothings.contains(scalar.string)) else {
                throw FathomError.invalid("\(subject) has no value; give one, or leave the line out")
            }
            return scalar.string.trimmingCharacters(in: .whitespacesAndNewlines)
        case .mapping(let pairs):
            return try pairs.map { pair in try "\(text(of: pair.key, subject: subject)): \(text(of: pair.value, subject: subject))" }
                .joined(separator: ", ")
        case .sequence, .alias:
            throw FathomError.invalid("\(subject) must be one value, not a list")
        }
    }

    /// Notation needs no quotes in a recipe: `network: [linear(64) tanh] * 4 linear(1)` opens a list in YAML and `adamw(0.001, decay: 0.01)` a
    /// mapping, so a value on one line that begins with `[` or contains `: ` is put in quotes before YAML reads it. Lines keep their numbers.
    static func quotingNotation(_ yaml: String) -> String {
        let lines = yaml.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        return lines.enumerated().map { index, line in
            let goesOn = index + 1 < lines.count && lines[index + 1].first.map { $0 == " " || $0 == "\t" } == true
                && !lines[index + 1].allSatisfy(\.isWhitespace)
            guard !goesOn, let colon = line.firstIndex(of: ":"), RecipeKey(rawValue: String(line[..<colon])) != nil else { return String(line) }
            let (value, comment) = dividedAtComment(line[line.index(after: colon)...])
            guard let first = value.first, value.startIndex > line.index(after: colon), !"'\"|>&*!{".contains(first),
                first == "[" || value.contains(": ") else { return String(line) }
            return "\(line[...colon]) '\(value.replacing("'", with: "''"))'\(comment)"
        }.joined(separator: "\n")
    }

    /// A value without the white space around it, and the comment after it.
    private static func dividedAtComment(_ text: Substring) -> (value: Substring, comment: Substring) {
        let start = text.firstIndex { !$0.isWhitespace } ?? text.endIndex
        let body = text[start...]
        let comment = body.firstRange(of: " #")?.lowerBound ?? body.endIndex
        let last = body[..<comment].lastIndex { !$0.isWhitespace }
        let end = last.map { body.index(after: $0) } ?? start
        return (body[..<end], body[comment...])
    }

    /// "line: what is wrong", of what YAML would not read.
    private static func sentence(_ error: YamlError) -> String {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
            "\(mark.line): this is not YAML: \(problem) at column \(mark.column)"
        case .duplicatedKeysInMapping(let duplicates, let context):
            "\(context.mark.line): '\(duplicates.joined(separator: "', '"))' is given twice"
        case .reader(let problem, _, _, _):
            "1: this is not YAML: \(problem)"
        default:
            "1: this is not YAML"
        }
    }
}
