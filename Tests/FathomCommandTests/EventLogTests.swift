import Testing

@testable import Fathom
@testable import FathomCommand
@testable import FathomFormats

@Suite("Events")
struct EventLogTests {
    private func step(_ number: Int) -> EventLog.Step {
        let step = Trainer.Step(step: number, loss: 1, learningRate: 1, gradientNorm: 1, clippedGradientNorm: 1, clipCoefficient: 1)
        return EventLog.Step(step: step, epoch: 1, layers: nil)
    }

    /// Numbers of the steps in a history, 0 for another event.
    private func lines(_ path: String) throws -> [Int] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { line in
            line.firstMatch(of: /"step":([0-9]+)/).flatMap { Int($0.output.1) } ?? 0
        }
    }

    @Test("Lines of steps are made 32 at a time, before any other event and before what there is reaches the file, and stand in their order", arguments: [1, 3])
    func together(threads: Int) throws {
        let workshop = try Workshop(), path = workshop.path("history.jsonl")
        var log = EventLog(try History(creating: path), telling: RunHistory(path: path), prints: false)
        log.threads = threads
        var made: Int? { log.told?.steps.last.map { Int($0) } }
        for number in 1...31 { log.add(step(number)) }
        #expect(made == nil)
        log.add(step(32))
        #expect(made == 32)
        log.add(step(33))
        log.add(["event": "epoch"])
        #expect(made == 33)
        log.add(step(34))
        try log.flush()
        let all = Array(1...33) + [0, 34]
        #expect(try lines(path) == all && made == 34)
        try log.flush()
        log.add(step(35))
        try log.synchronize()
        #expect(try lines(path) == all + [35])
    }

    @Test("What cannot be told leaves nothing told, and the history as it should be")
    func untold() throws {
        let workshop = try Workshop(), path = workshop.path("history.jsonl")
        var log = EventLog(try History(creating: path), telling: RunHistory(path: path), prints: false)
        log.add([:])
        log.add(step(1))
        try log.flush()
        #expect(log.told == nil)
        #expect(try lines(path) == [0, 1])
    }
}
