import Fathom
import Testing

/// What reads a notation of each kind.
enum Reader: String, CaseIterable, Sendable {
    case network, optimizer, schedule, clipping, loss, initializer

    /// The printed form of what the text stands for.
    func read(_ source: String) throws -> String {
        switch self {
        case .network: try Network(source).description
        case .optimizer: try Optimizer(source).description
        case .schedule: try Schedule(source).description
        case .clipping: try Clipping(source).description
        case .loss: try Loss(source).description
        case .initializer: try Initializer(source).description
        }
    }

    func error(_ source: String) -> NotationError? {
        do {
            _ = try read(source)
        } catch FathomError.notation(let error) {
            return error
        } catch {}
        return nil
    }
}

struct Mistake: Sendable, CustomTestStringConvertible {
    let reader: Reader
    let source: String
    let column: Int
    let message: String

    init(_ reader: Reader, _ source: String, _ column: Int, _ message: String) {
        (self.reader, self.source, self.column, self.message) = (reader, source, column, message)
    }

    var testDescription: String { "\(reader) '\(source.prefix(60))'" }
}

@Suite("Errors of the notation")
struct NotationErrorTests {
    @Test("An error shows its sentence, the line and a caret") func rendering() throws {
        let error = try #require(Reader.network.error("lnear(10)"))
        #expect(error.description == """
            unknown layer 'lnear' at column 1; did you mean 'linear'?
              lnear(10)
              ^
            """)
        #expect(FathomError.notation(error).description == error.description)
        let later = try #require(Reader.optimizer.error("adamw(0.001, weight_decay=0.01)"))
        #expect(later.description == """
            unknown argument 'weight_decay' of adamw at column 14; did you mean 'decay'?
              adamw(0.001, weight_decay=0.01)
                           ^
            """)
    }

    @Test("Of several lines, the one with the mistake is shown, and the column counts from its start") func lines() throws {
        let error = try #require(Reader.network.error("linear(10)\r\n\tlnear(10)\nrelu\n"))
        #expect((error.line, error.column) == (2, 2))
        #expect(error.description == "unknown layer 'lnear' at line 2, column 2; did you mean 'linear'?\n  \tlnear(10)\n  \t^")
    }

    @Test("A long line is shown around the caret") func longLine() throws {
        let source = String(repeating: "relu ", count: 100) + "oops " + String(repeating: "tanh ", count: 100)
        let lines = try #require(Reader.network.error(source)).description.split(separator: "\n").map(Array.init)
        try #require(lines.count == 3)
        let caret = try #require(lines[2].firstIndex(of: "^"))
        #expect(lines[1].count < 130 && String(lines[1][caret...]).hasPrefix("oops "))
    }

    @Test("The caret stands below its character where characters are two cells wide") func wideCharacters() throws {
        let error = try #require(Reader.network.error("漢字 ?"))
        #expect(error.description.hasSuffix("\n  漢字 ?\n       ^"))
        let second = try #require(Reader.optimizer.error("sgd(漢, 🙂)"))
        #expect(second.description.hasSuffix("\n  sgd(漢, 🙂)\n          ^"))
    }

    @Test("A character that cannot be seen is named by its code and cannot reach the terminal") func invisible() throws {
        let error = try #require(Reader.network.error("relu \u{1B}[31m \u{200B}"))
        #expect(error.message.hasPrefix("unexpected character U+001B at column 6;"))
        #expect(!error.description.unicodeScalars.contains("\u{1B}") && !error.description.unicodeScalars.contains("\u{200B}"))
        let quoted = try #require(Reader.optimizer.error("sgd('\u{1B}[31m\n')"))
        #expect(!quoted.description.unicodeScalars.contains("\u{1B}") && !quoted.message.contains("\n"))
    }

    @Test("A value made in Swift from numbers out of range says so when validated") func validation() throws {
        #expect(throws: FathomError.self) { try Optimizer.adamW(learningRate: -1).validate() }
        #expect(throws: FathomError.self) { try Optimizer.sgd(learningRate: .nan).validate() }
        #expect(throws: FathomError.self) { try Optimizer.sgd(learningRate: 0.1, nesterov: true).validate() }
        #expect(throws: FathomError.self) { try Clipping.norm(.infinity).validate() }
        #expect(throws: FathomError.self) { try Schedule.step(epochs: 0, factor: 0.5).validate() }
        #expect(throws: FathomError.self) { try Loss.huber(delta: 0).validate() }
        #expect(throws: FathomError.self) { try Initializer(.normal(deviation: -1)).validate() }
        #expect(throws: FathomError.self) { try Initializer(.critical(bias: 0.1), bias: 0.1).validate() }
        #expect(throws: FathomError.self) { try Initializer(.torch, bias: 0.1).validate() }
        try Optimizer.adamW(learningRate: 1e-3).validate()
        try Clipping.none.validate()
        try Clipping([.unitNorm(2), .norm(1), .value(0.5)]).validate()
        for stages: Clipping in [[.norm(1), .norm(2)], [.zscore(warmup: 1)], [.percentile(-1)], [.adaptive(.nan)], [.norm(1), .tensorNorm(1)], [.value(1), .timeNorm(1)]] {
            #expect(throws: FathomError.self, "\(stages)") { try stages.validate() }
        }
    }

    @Test("Every mistake names its column and what would be right", arguments: mistakes) func mistake(_ mistake: Mistake) throws {
        let error = try #require(mistake.reader.error(mistake.source), "accepted")
        #expect(error.message == mistake.message)
        #expect(error.column == mistake.column)
        #expect(error.message.contains(mistake.source.contains(where: \.isNewline) ? "column" : "at column \(mistake.column);"))
    }
}
