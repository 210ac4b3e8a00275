import Foundation
import Testing

/// A finished run on a small table, made once; its files by their names.
enum Fixture {
    static let table = Data("a,b,label\n1,2,x\n3,4,y\n5,6,x\n7,8,y\n".utf8)

    static let run: [String: Data] = {
        guard let workshop = try? Workshop() else { return [:] }
        try? workshop.write(table, "t.csv")
        _ = try? workshop.fathom("train", "--data", "t.csv", "--network", "linear(3) tanh linear(outputs)", "--epochs", "2", "--output", "run", "--quiet")
        var files = ["t.csv": table, "ok.csv": Data("b,a\n2,1\n".utf8)]
        for name in ["recipe.yaml", "history.jsonl", "model.safetensors", "checkpoint.safetensors"] { files["run/" + name] = try? workshop.read("run/" + name) }
        return files
    }()

    static let model = run["run/model.safetensors"] ?? Data()
    static let checkpoint = run["run/checkpoint.safetensors"] ?? Data()
}

@Suite("Bad input")
struct BadInputTests {
    @Test("gets one sentence with the place, the right exit status, and writes nothing", arguments: badInputs)
    func badInput(_ bad: BadInput) throws {
        let workshop = try Workshop()
        for (name, data) in bad.files { try workshop.write(data, name) }
        let before = Dictionary(uniqueKeysWithValues: workshop.contents.map { ($0, try? workshop.read($0)) })
        let running = try workshop.start(bad.arguments, environment: bad.environment, input: bad.input)
        let outcome = running.wait()

        #expect(outcome.status == bad.status, "\(outcome.errors)")
        #expect(outcome.output.isEmpty)
        for part in bad.says { #expect(outcome.errors.contains(part), "\(outcome.errors)") }
        let lines = outcome.errors.split(separator: "\n")
        #expect(lines.first?.hasPrefix("fathom: ") == true, "\(outcome.errors)")
        // A sentence; notation adds its line and the caret.
        #expect(lines.count == 1 || lines.count == 3 && lines[2].hasSuffix("^"), "\(outcome.errors)")
        for trap in ["Fatal", "fatal", "rashed", "acktrace", "Error:", "Optional(", "FathomError", "NSError"] { #expect(!outcome.errors.contains(trap), "\(outcome.errors)") }
        #expect(!outcome.errors.contains("\u{1B}"))
        let after = Dictionary(uniqueKeysWithValues: workshop.contents.map { ($0, try? workshop.read($0)) })
        #expect(after == before)
    }

    @Test("there are at least forty cases, each with a name of its own")
    func cases() {
        #expect(badInputs.count >= 40 && Set(badInputs.map(\.name)).count == badInputs.count)
    }
}
