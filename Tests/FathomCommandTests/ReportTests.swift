import Foundation
import Testing

@Suite("Reports of runs")
struct ReportTests {
    private static let flags = ["train", "--data", "digits", "--test", "0.2", "--validation", "0.1", "--network", "[linear(16) tanh] * 3 linear(outputs)", "--epochs", "2", "--quiet", "--output"]

    private static func text(_ workshop: Workshop, _ name: String) throws -> String { try String(decoding: workshop.read(name), as: UTF8.self) }

    @Test("a training leaves its report, and fathom report makes the same one again")
    func remade() throws {
        let workshop = try Workshop()
        #expect(try workshop.start(["train"] + Self.flags.dropFirst() + ["run"]).wait().status == 0)
        let left = try workshop.read("run/report.html"), text = String(decoding: left, as: UTF8.self)
        for words in ["Completed after 22 steps; test accuracy", "aria-label=\"Loss\"", "aria-label=\"Accuracy\"", "aria-label=\"Gradient of the weights\"", "adamw(0.001, decay: 0.01)"] {
            #expect(text.contains(words), "\(words)")
        }
        try FileManager.default.removeItem(atPath: workshop.path("run/report.html"))
        let made = try workshop.fathom("report", "run/")
        #expect(made.status == 0 && made.output == "run/report.html\n" && made.errors.isEmpty, "\(made.errors)")
        try #expect(workshop.read("run/report.html") == left)
        // A kill may have come between the end of the history and the report.
        try FileManager.default.removeItem(atPath: workshop.path("run/report.html"))
        #expect(try workshop.fathom("resume", "run").errors.contains("run is finished"))
        try #expect(workshop.read("run/report.html") == left)
    }

    @Test("a training that diverged, or was interrupted, leaves its report too")
    func unfinished() throws {
        let workshop = try Workshop()
        let diverged = try workshop.start(Self.flags + ["diverged", "--optimizer", "sgd(1e30)", "--network", "linear(16) relu linear(outputs)"]).wait()
        #expect(diverged.status == 71, "\(diverged.errors)")
        try #expect(Self.text(workshop, "diverged/report.html").contains("Diverged at step"))
        let running = try workshop.start(Self.flags + ["interrupted", "--epochs", "10000", "--json"])
        while running.process.isRunning && !running.outputSoFar.contains(#""event":"epoch""#) { usleep(1_000) }
        kill(running.process.processIdentifier, SIGINT)
        #expect(running.wait().status == 130)
        try #expect(Self.text(workshop, "interrupted/report.html").contains("Interrupted after"))
    }

    @Test("a report that cannot be written is one warning; the training is done all the same")
    func unwritable() throws {
        let workshop = try Workshop()
        try workshop.write("", "run/recipe.yaml")
        try workshop.write("", "run/report.html/in the way")
        let outcome = try workshop.start(Self.flags + ["run"]).wait()
        #expect(outcome.status == 0 && outcome.output.hasSuffix("run\n"))
        #expect(outcome.errors.wholeMatch(of: /fathom: the report was not written: run\/report.html [^\n]+; make it again with: fathom report run\n/) != nil, "\(outcome.errors)")
        #expect(workshop.contents.contains("run/model.safetensors") && !workshop.contents.contains { $0.hasSuffix(".tmp") })
    }

    @Test("several runs are compared, in report.html here or where --output says")
    func compared() throws {
        let workshop = try Workshop()
        for (name, rate) in [("a", "0.001"), ("b", "0.01")] { _ = try workshop.start(Self.flags + [name, "--optimizer", "adamw(\(rate))"]).wait() }
        let here = try workshop.fathom("report", "a", "b")
        #expect(here.status == 0 && here.output == "report.html\n", "\(here.errors)")
        let text = try Self.text(workshop, "report.html")
        #expect(text.contains("aria-label=\"Training loss\"") && text.contains("adamw(0.01, decay: 0.01)") && !text.contains("<th>seed</th>"))
        let there = try workshop.fathom("report", "a", "b", "--output", "both.html")
        #expect(there.status == 0 && there.output == "both.html\n")
        try #expect(workshop.read("both.html") == workshop.read("report.html"))
        // An older one gives way.
        #expect(try workshop.fathom("report", "b", "--output", "both.html").status == 0)
        try #expect(workshop.read("both.html") == workshop.read("b/report.html"))
    }
}
