import Fathom
import Foundation
import Testing

@testable import FathomFormats

@Suite("History")
struct HistoryTests {
    private static func withFile(_ text: String, _ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "history-\(UUID().uuidString).jsonl").path
        try Data(text.utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private static let steps = (1...7).map { #"{"event":"step", "step":\#($0), "epoch":\#(($0 + 2) / 3), "loss":1}"# }
    private static let start = #"{"event":"start", "threads":2}"#
    private static func epoch(_ number: Int) -> String { #"{"event":"epoch", "epoch":\#(number), "train_loss":1}"# }
    /// Seven steps of three an epoch, finished in the middle of the third.
    private static let lines = [start] + steps[0..<3] + [epoch(1)] + steps[3..<6] + [epoch(2), steps[6], epoch(3), #"{"event":"end", "outcome":"completed"}"#]
    private static let text = lines.joined(separator: "\n") + "\n"

    @Test("resuming cuts back to the checkpoint's step", arguments: [(0, 1), (2, 3), (3, 5), (5, 7), (6, 9), (7, 10)])
    func cutting(_ step: Int, _ kept: Int) throws {
        try Self.withFile(Self.text) { path in
            let history = try History(resuming: path, at: step, completedEpochs: step / 3)
            history.append(Array("new".utf8))
            try history.flush()
            let expected = Self.lines.prefix(kept).filter { !$0.contains(#""epoch":3, "train"#) } + ["new"]
            try #expect(String(contentsOfFile: path, encoding: .utf8) == expected.joined(separator: "\n") + "\n")
        }
    }

    @Test("a line that a kill tore goes, wherever it was torn", arguments: [1, 5, 20, 40, 45])
    func torn(_ length: Int) throws {
        let whole = Self.lines.prefix(8).joined(separator: "\n") + "\n"
        try Self.withFile(whole + Self.steps[6].prefix(length)) { path in
            _ = try History(resuming: path, at: 6, completedEpochs: 2)
            try #expect(String(contentsOfFile: path, encoding: .utf8) == whole)
        }
    }

    @Test("a start of an earlier resumption is kept only before the step that is resumed from")
    func starts() throws {
        let resumed = #"{"event":"start", "step":2}"#
        let text = [Self.start, Self.steps[0], Self.steps[1], resumed, Self.steps[2], Self.steps[3]].joined(separator: "\n") + "\n"
        try Self.withFile(text) { path in
            _ = try History(resuming: path, at: 3, completedEpochs: 0)
            try #expect(String(contentsOfFile: path, encoding: .utf8).contains(resumed))
            _ = try History(resuming: path, at: 2, completedEpochs: 0)
            try #expect(!String(contentsOfFile: path, encoding: .utf8).contains(resumed))
        }
    }

    @Test("alarms of steps are kept up to the step that is resumed from, one of a training's end goes with it")
    func alarms() throws {
        func alarm(_ step: Int) -> String { #"{"event":"alarm", "step":\#(step), "kind":"clipping"}"# }
        let lines = [Self.start] + Self.steps[0..<2] + [alarm(2), Self.steps[2], alarm(3), Self.epoch(1), alarm(3)]
        for (step, kept) in [(3, 7), (2, 4), (1, 2)] {
            for end in [[], [#"{"event":"end", "outcome":"completed"}"#]] {
                try Self.withFile((lines + end).joined(separator: "\n") + "\n") { path in
                    _ = try History(resuming: path, at: step, completedEpochs: step / 3)
                    try #expect(String(contentsOfFile: path, encoding: .utf8) == lines.prefix(kept).joined(separator: "\n") + "\n")
                }
            }
        }
    }

    @Test("a step that is not finite has the members of every step; what is not finite is null", arguments: [(Double.nan, "null, \"gradient_norm_reason\":\"nan\""), (.infinity, "null, \"gradient_norm_reason\":\"inf\""), (2.5, "2.5")])
    func notFinite(_ norm: Double, _ written: String) {
        let line = Event.notFinite(step: 3, epoch: 2, learningRate: 0.5, gradientNorm: norm, reason: "the loss is inf", layers: []).line
        #expect(line == #"{"event":"step", "step":3, "epoch":2, "loss":null, "loss_reason":"the loss is inf", "learning_rate":0.5, "gradient_norm":"# + written
            + #", "clipped_gradient_norm":null, "clipped_gradient_norm_reason":"the step changed nothing", "clip_coefficient":null, "clip_coefficient_reason":"the step changed nothing", "layers":[]}"#)
    }

    @Test("a folder is trained in by one process at a time")
    func lock() throws {
        try Self.withFile("") { path in
            let first = try History(creating: path)
            #expect(throws: FathomError.self) { try History(resuming: path, at: 0, completedEpochs: 0) }
            try first.flush()
        }
    }

    @Test("only an end that says completed is one")
    func completed() throws {
        try Self.withFile(Self.text) { #expect(History.isCompleted($0)) }
        try Self.withFile(Self.lines.dropLast().joined(separator: "\n") + "\n") { #expect(!History.isCompleted($0)) }
        try Self.withFile(#"{"event":"end", "outcome":"interrupted"}"#) { #expect(!History.isCompleted($0)) }
        #expect(!History.isCompleted("/nowhere/at/all"))
    }

    @Test("a run of up to 10,000 steps writes every step", arguments: [1, 1_000, 9_999, 10_000])
    func short(_ total: Int) {
        let sampling = HistorySampling(totalSteps: total, instruments: .summary(every: 1))
        #expect((1...total).allSatisfy(sampling.writes))
        #expect((1...total).count(where: sampling.writesLayers) == min(total, 1_000))
    }

    @Test("a longer run writes 10,000 evenly spaced steps, layers in 1,000 of them", arguments: [10_001, 12_345, 99_991, 1_000_000])
    func long(_ total: Int) {
        let sampling = HistorySampling(totalSteps: total, instruments: .summary(every: 1))
        let written = (1...total).filter(sampling.writes), layers = (1...total).filter(sampling.writesLayers)
        #expect(written.count == 10_000 && layers.count == 1_000 && written.last == total && layers.last == total)
        #expect(Set(layers).isSubset(of: written))
        let gaps = Set(zip(written.dropFirst(), written).map { $0 - $1 })
        #expect(gaps.isSubset(of: [total / 10_000, total / 10_000 + 1]), "\(gaps)")
    }

    @Test("what instruments ask for is what is written")
    func instruments() {
        let every = HistorySampling(totalSteps: 5_000, instruments: .summary(every: 50))
        #expect((1...5_000).filter(every.writesLayers) == Array(stride(from: 50, through: 5_000, by: 50)))
        let none = HistorySampling(totalSteps: 20_000, instruments: .none)
        #expect((1...20_000).count(where: none.writes) == 10_000 && !(1...20_000).contains(where: none.writesLayers))
        let full = HistorySampling(totalSteps: 20_000, instruments: .full(every: 2))
        #expect((1...20_000).allSatisfy(full.writes) && (1...20_000).count(where: full.writesLayers) == 10_000)
        let endless = HistorySampling(totalSteps: .max, instruments: .summary(every: 1))
        #expect(endless.writes(.max) && endless.writesLayers(.max) && !endless.writes(1))
    }
}
