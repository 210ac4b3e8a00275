import Fathom
import Foundation
import Testing

@testable import FathomFormats

/// A run folder made by hand, gone with the object.
final class MadeRun {
    let folder: RunFolder

    init(_ history: [JSON], recipe: String = "network: linear(10)\ndata: digits\n", name: String = "made", tail: String = "") throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "report-\(UUID().uuidString)/\(name)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Data(recipe.utf8).write(to: URL(filePath: path + "/recipe.yaml"))
        try Data((history.map { $0.line + "\n" }.joined() + tail).utf8).write(to: URL(filePath: path + "/history.jsonl"))
        folder = try RunFolder(existing: path)
    }

    deinit { try? FileManager.default.removeItem(atPath: (folder.path as NSString).deletingLastPathComponent) }

    static let start: JSON = [
        "event": "start", "recipe": [:], "parameters": 650, "fathom": "0.1.0", "isa": "avx2", "threads": 2, "gradient_at_start": ["log10_gain": .number(-8.5), "steps": 64, "verdict": "vanishing"],
    ]

    /// A line with all that the contract has, and all that `full` instruments add.
    static func step(_ step: Int, layers: Int, full: Bool = false) -> JSON {
        var members: [JSON.Member] = [
            .init("event", "step"), .init("step", .integer(step)), .init("epoch", 1), .init("loss", .number(1 / Double(step))), .init("learning_rate", .number(0.001)),
            .init("gradient_norm", .number(2)), .init("clipped_gradient_norm", .number(1)), .init("clip_coefficient", .number(0.5)),
        ]
        let entries = (0..<layers).map { layer -> JSON in
            var entry: [JSON.Member] = [.init("name", .string("\(2 * layer).linear"))]
            for quantity in RunHistory.LayerQuantity.allCases { entry.append(.init(quantity.rawValue, .number(quantity == .nonfinite ? 0 : pow(10, Double(layer - layers)) * Double(step)))) }
            if full { entry += RunHistory.ExponentKind.allCases.map { .init($0.rawValue, ["zero": 5, "lowest": .integer(-30 + layer), "counts": [1, 10, 100, 0, 3]]) } }
            return .object(entry)
        }
        if layers > 0 { members.append(.init("layers", .array(entries))) }
        if full { members.append(.init("residuals", [["name": "1.residual", "branch_to_trunk": .number(0.31)]])) }
        return .object(members)
    }

    static let epoch: JSON = ["event": "epoch", "epoch": 1, "train_loss": .number(0.5), "validation_loss": .number(0.4), "validation_accuracy": .number(0.875), "samples_per_second": 1000, "seconds": 1]
    static let end: JSON = [
        "event": "end", "test_loss": .number(0.0712), "test_accuracy": .number(0.9777), "test_f1": .number(0.97), "best_epoch": 1, "best_validation_loss": .number(0.4), "clip_rate": 1,
        "training_seconds": .number(1.5), "seconds": 2, "outcome": "completed",
    ]
}

@Suite("Histories, read")
struct RunHistoryTests {
    private static func read(_ made: MadeRun) throws -> RunHistory { try RunHistory(contentsOf: made.folder.history) }

    @Test("every number is where it belongs; what is null is a gap")
    func numbers() throws {
        let broken: JSON = ["event": "step", "step": 4, "epoch": 1, "loss": nil, "loss_reason": "nan", "learning_rate": .number(0.001), "layers": [["name": "0.linear", "gradient_exponents": ["zero": 0, "lowest": 128, "counts": [9]]]]]
        let fault: JSON = ["event": "fault", "step": 4, "pass": "forward", "message": "inf"]
        let alarm: JSON = ["event": "alarm", "step": 2, "kind": "vanishing", "layer": "0.linear", "message": "small"]
        let made = try MadeRun([MadeRun.start] + (1...3).map { MadeRun.step($0, layers: 2, full: true) } + [MadeRun.epoch, alarm, fault, broken, ["event": "news", "x": [1]], MadeRun.end])
        let history = try Self.read(made)
        #expect(history.steps == [1, 2, 3, 4])
        #expect(history.values(.loss).prefix(3) == [1, 0.5, 1.0 / 3] && history.values(.loss)[3].isNaN)
        #expect(history.values(.clipCoefficient).prefix(3) == [0.5, 0.5, 0.5] && history.values(.gradientNorm)[3].isNaN)
        #expect(history.broken.map(\.reason) == ["nan"] && history.epochs.map(\.step) == [3] && history.alarms == [alarm] && history.faults == [fault] && history.end == MadeRun.end)
        #expect(history.layers.names == ["0.linear", "2.linear"] && history.layers.columns.count == 4)
        // Logarithms of 10^(layer − 2) · step, but for the mean of the activations.
        let first: [Double] = [0.01, 0.02, 0.03, .nan, 0.1]
        for (index, expected) in first.map(Foundation.log10).enumerated() {
            let value = history.layers.values(0)[index]
            #expect(expected.isNaN ? value.isNaN : abs(value - expected) < 1e-12)
        }
        #expect(history.layers.values(4).prefix(2) == [0.01, 0.02])
        #expect(history.exponents[.gradient] == [.init(zero: 5, lowest: -30, counts: [1, 10, 100, 0, 3]), .init(zero: 5, lowest: -29, counts: [1, 10, 100, 0, 3])] && history.exponentStep == 3)
        #expect(history.residuals.names == ["1.residual"] && abs(history.residuals.values(0)[0] - log10(0.31)) < 1e-12)
    }

    @Test("whatever order and space members have, and whatever stands between them, the same is read")
    func written() throws {
        let lines = (1...3).map { MadeRun.step($0, layers: 3) }, plain = try Self.read(try MadeRun([MadeRun.start] + lines)).layers
        func changed(_ change: (inout [JSON.Member]) -> Void) throws -> LayerGrid {
            try Self.read(try MadeRun([MadeRun.start] + lines.map { line in
                guard case .object(var members) = line, let last = members.indices.last, case .array(let layers) = members[last].value else { return line }
                members[last] = .init("layers", .array(layers.map { layer in
                    guard case .object(var members) = layer else { return layer }
                    change(&members)
                    return .object(members)
                }))
                return .object(members)
            })).layers
        }
        let reversed = try changed { $0 = [$0[0]] + $0.dropFirst().reversed() }
        let more = try changed { members in members = members.flatMap { [$0, .init($0.key + "_reason", "nan")] } }
        let narrow = try Self.read(try MadeRun([], tail: ([MadeRun.start] + lines).map { $0.line.replacing(", ", with: ",") + "\n" }.joined())).layers
        for grid in [reversed, more, narrow] {
            for quantity in plain.keys.indices { #expect(grid.names == plain.names && grid.values(quantity).map(\.bitPattern) == plain.values(quantity).map(\.bitPattern)) }
        }
    }

    @Test("however many lines hold layers, there are at most 256 columns, each a mean over as many lines as the others", arguments: [256, 257, 1_000, 1_025])
    func pooling(_ lines: Int) throws {
        let made = try MadeRun([MadeRun.start] + (1...lines).map { MadeRun.step($0, layers: 1) }), history = try Self.read(made)
        let columns = history.layers.columns, each = lines <= 256 ? 1 : lines <= 512 ? 2 : lines <= 1_024 ? 4 : 8
        #expect(columns.count == (lines + each - 1) / each && columns.dropLast().allSatisfy { $0.lines == each && $0.last - $0.first == each - 1 })
        #expect(columns.first?.first == 1 && columns.last?.last == lines && columns.reduce(0) { $0 + $1.lines } == lines)
        // The mean of 0.1 · step over a column's steps.
        for (column, value) in zip(columns, history.layers.values(4)) { #expect(abs(value - 0.1 * Double(column.first + column.last) / 2) < 1e-9) }
    }

    @Test("an end that a resumed run went on from is none, and a last line without its end is passed over")
    func resumed() throws {
        let again: JSON = ["event": "start", "step": 2, "threads": 1]
        let made = try MadeRun([MadeRun.start, MadeRun.step(1, layers: 0), MadeRun.step(2, layers: 0), MadeRun.end, again, MadeRun.step(3, layers: 0)], tail: #"{"event":"step", "step":4, "lo"#)
        let history = try Self.read(made)
        #expect(history.end == nil && history.steps == [1, 2, 3] && history.starts.count == 2)
    }

    @Test("a damaged line is named by its number, an empty history as what it is", arguments: [
        ("", ":1: the history is empty, so there is nothing to report yet"), ("\n", ":1: the line is damaged at column 1: the line ends too early"),
        (MadeRun.start.line + "\nnonsense\n", ":2: the line is damaged at column 1: '{' is missing"),
        (MadeRun.start.line + "\n{\"event\":\"step\", \"step\":1, \"loss\":}\n", ":2: the line is damaged at column 35: a number is missing"),
        (MadeRun.start.line + "\n{\"event\":\"step\", \"loss\":1}\n", ":2: the line is damaged at column 25: a step begins with its number"),
        (MadeRun.start.line + "\n{\"event\":\"step\", \"step\":1, \"layers\":[{\"x\":1}]}\n", ":2: the line is damaged at column 40: a layer begins with its name"),
        ("{\"a\":1}\n", ":1: the line is damaged at column 6: a line begins with its event"), (MadeRun.end.line + "\n", ":1: the history does not begin with a start event, so it is not one of a training"),
    ])
    func damaged(_ text: String, _ problem: String) throws {
        let made = try MadeRun([], tail: text)
        #expect(throws: FathomError.invalid(made.folder.history + problem)) { try Self.read(made) }
    }

    @Test("no history is no input")
    func missing() throws {
        let made = try MadeRun([])
        try FileManager.default.removeItem(atPath: made.folder.history)
        #expect(throws: FathomError.noSuchInput("there is no history '\(made.folder.history)'")) { try Self.read(made) }
    }
}

@Suite("Reports")
struct RunReportTests {
    /// The titles of a page's figures, and its text.
    private static func parsed(_ page: Page) -> (figures: [String], page: ParsedPage) {
        let parsed = ParsedPage(page.html)
        #expect(parsed.problem == nil)
        return (parsed.values("aria-label"), parsed)
    }

    @Test("with full instruments every figure is there")
    func full() throws {
        let alarm: JSON = ["event": "alarm", "step": 2, "kind": "vanishing", "layer": "0.linear", "message": "the gradient <is> small"]
        let fault: JSON = ["event": "fault", "step": 9, "pass": "forward", "layer": "2.linear", "sample": 3, "message": "forward pass, 2.linear, sample 3 of the batch: output[1] is inf"]
        let made = try MadeRun([MadeRun.start] + (1...8).map { MadeRun.step($0, layers: 8, full: true) } + [MadeRun.epoch, alarm, alarm, fault, MadeRun.end])
        let (figures, page) = Self.parsed(try RunReport(made.folder).page)
        #expect(figures == [
            "Loss", "Accuracy", "Learning rate", "Norm of the gradient", "Clipping", "Gradient of the weights", "Gradient of the signal", "Update ratio", "Weights",
            "Residual blocks: branch to trunk", "Mean of the activations", "Deviation of the activations", "Saturated", "Dead", "Mean squared slope of the activation", "Subnormal values",
            "Exponents of the gradient", "Exponents of the weights", "Exponents of the activations",
        ])
        for text in [
            "Completed after 8 steps; test accuracy 97.77 %, test loss 0.0712, test F1 0.97.", "Gradient at the start: ×3.2e-9 over 64 layers: vanishing.", "2 alarms: vanishing.",
            "between 8e-8 in 0.linear and 0.8 in 14.linear", "the gradient <is> small", "Step 9, forward pass, 2.linear, sample 3 of the batch: output[1] is inf", "avx2, 2 threads, fathom 0.1.0",
            "100.0 % of the steps", "data: digits",
        ] { #expect(page.text.contains(text), "\(text)") }
    }

    @Test("what there is nothing of is left out")
    func sparse() throws {
        let plain: JSON = ["event": "step", "step": 1, "epoch": 1, "loss": 1, "learning_rate": .number(0.1), "gradient_norm": 2, "clipped_gradient_norm": 2, "clip_coefficient": 1]
        let made = try MadeRun([["event": "start", "threads": 1], plain]), nothing = try MadeRun([["event": "start"]])
        let (figures, page) = Self.parsed(try RunReport(made.folder).page)
        #expect(figures == ["Loss", "Learning rate", "Norm of the gradient"])
        #expect(page.text.contains("Not finished: 1 step so far.") && page.text.contains("No alarm was raised."))
        let (none, _) = Self.parsed(try RunReport(nothing.folder).page)
        #expect(none.isEmpty)
    }

    @Test("the page of a long and deep run stays small")
    func large() throws {
        // 2,000 steps, 300 layers in 40 of them: every map is full, every line is thinned.
        let steps = (1...2_000).map { MadeRun.step($0, layers: $0.isMultiple(of: 50) ? 300 : 0) }
        let made = try MadeRun([MadeRun.start] + steps), page = try RunReport(made.folder).page
        #expect(page.html.utf8.count < 1_500_000)
    }

    @Test("the report takes the place of an older one, and of nothing else")
    func writing() throws {
        let made = try MadeRun([MadeRun.start, MadeRun.step(1, layers: 0)])
        try RunReport(made.folder).write()
        try RunReport(made.folder).write()
        #expect(Page.isPage(made.folder.report))
        try Data("mine".utf8).write(to: URL(filePath: made.folder.report))
        #expect(throws: FathomError.self) { try RunReport(made.folder).write() }
        try #expect(String(contentsOfFile: made.folder.report, encoding: .utf8) == "mine")
    }

    @Test("several runs lie over one another, with what their recipes differ in")
    func comparison() throws {
        let other = JSON.object([.init("event", "end"), .init("test_accuracy", .number(0.5)), .init("outcome", "diverged")])
        let a = try MadeRun([MadeRun.start] + (1...3).map { MadeRun.step($0, layers: 3) } + [MadeRun.epoch, MadeRun.end], name: "a")
        let b = try MadeRun([MadeRun.start] + (1...5).map { MadeRun.step($0, layers: 2) } + [MadeRun.epoch, other], recipe: "network: linear(10)\ndata: digits\nclip: norm(1)\n", name: "b")
        let (figures, page) = Self.parsed(ComparisonReport([try RunReport(a.folder), try RunReport(b.folder)]).page)
        #expect(figures == [
            "Training loss", "Validation loss", "Validation accuracy", "Learning rate", "Speed", "Norm of the gradient, before clipping", "Gradient by layer, in the last steps", "Gradient of the weights: a",
            "Gradient of the weights: b",
        ])
        for text in ["a has the highest test accuracy, 97.77 %.", "diverged", "norm(1.0)", "clip"] { #expect(page.text.contains(text), "\(text)") }
        #expect(!page.text.contains("seed"))
        let same = ComparisonReport([try RunReport(a.folder), try RunReport(a.folder)]).page
        #expect(ParsedPage(same.html).text.contains("Nothing: the recipes are the same."))
    }
}
