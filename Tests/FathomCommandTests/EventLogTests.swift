import FathomFormats
import Testing

@testable import FathomCommand

@Suite("Events")
struct EventLogTests {
    /// Of steps whose lines have been made.
    private final class Made { var steps: [Int] = [] }

    private func isInOrder(_ path: String, _ keys: [String]) throws -> Bool {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init) == keys.map { "{\"event\":\"\($0)\"}" }
    }

    @Test("Lines of steps are made 32 at a time, before any other event and before what there is reaches the file, and stand in their order")
    func together() throws {
        let workshop = try Workshop(), path = workshop.path("history.jsonl"), made = Made()
        var log = EventLog(try History(creating: path), prints: false)
        func step(_ number: Int) {
            log.add(step: {
                made.steps.append(number)
                return ["event": .string("\(number)")]
            })
        }
        for number in 1...31 { step(number) }
        #expect(made.steps.isEmpty)
        step(32)
        #expect(made.steps == Array(1...32))
        step(33)
        log.add(["event": "alarm"])
        #expect(made.steps.last == 33)
        step(34)
        try log.flush()
        let all = (1...33).map(String.init) + ["alarm", "34"]
        #expect(try isInOrder(path, all))
        try log.flush()
        step(35)
        try log.synchronize()
        #expect(try isInOrder(path, all + ["35"]))
    }
}
