import Foundation
import Testing

@Suite("What a training looks at after each epoch")
struct CourseTests {
    /// Large steps, so that the validation loss soon goes up and down.
    private static let restless = digits + ["--optimizer", "sgd(1.0, momentum: 0.9)", "--validation", "0.1"]

    private static func epochs(_ workshop: Workshop, _ run: String, _ member: String) throws -> [Double] {
        try workshop.lines("\(run)/history.jsonl").filter { $0["event"] as? String == "epoch" }.compactMap { $0[member] as? Double }
    }

    /// The tensors of a safetensors file: what follows its header.
    private static func tensors(_ workshop: Workshop, _ name: String) throws -> Data {
        let file = try workshop.read(name)
        return file.dropFirst(8 + file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) })
    }

    @Test("a plateau halves the rate when what it watches has not improved for so long", arguments: ["validation_loss", "train_loss"])
    func plateau(_ watched: String) throws {
        let workshop = try Workshop()
        let flags = watched == "train_loss" ? ["--validation", "0"] : []
        let outcome = try workshop.start(
            ["train"] + Self.restless + flags + ["--epochs", "30", "--schedule", "plateau(factor: 0.5, patience: 2, threshold: 0.01, warmup: 4)", "--output", "run"]).wait()
        #expect(outcome.status == 0, "\(outcome.errors)")
        var best = Double.infinity, since = 0, expected = [1.0]
        for loss in try Self.epochs(workshop, "run", watched) {
            since = loss < best * 0.99 ? 0 : since + 1
            best = since == 0 ? loss : best
            expected.append(since == 2 ? expected.last! / 2 : expected.last!)
            if since == 2 { since = 0 }
        }
        let steps = try workshop.lines("run/history.jsonl").filter { $0["event"] as? String == "step" }
        let rates = steps.compactMap { $0["learning_rate"] as? Double }
        #expect(Array(rates.prefix(4)) == [0.25, 0.5, 0.75, 1])
        let perEpoch = steps.count / 30
        #expect(rates.enumerated().allSatisfy { $0 < 4 || $1 == expected[$0 / perEpoch] })
        #expect(expected[29] < 1)
    }

    @Test("patience ends a training, and the model is that of its best epoch; without, the best is kept beside it")
    func patience() throws {
        let workshop = try Workshop()
        let outcome = try workshop.start(["train"] + Self.restless.filter { $0 != "--quiet" } + ["--epochs", "200", "--patience", "3", "--output", "run"]).wait()
        #expect(outcome.status == 0, "\(outcome.errors)")
        let losses = try Self.epochs(workshop, "run", "validation_loss")
        let best = losses.firstIndex(of: losses.min()!)! + 1, end = try #require(workshop.lines("run/history.jsonl").last)
        #expect(losses.count == best + 3 && losses.count < 200)
        #expect(end["best_epoch"] as? Int == best && end["best_validation_loss"] as? Double == losses.min())
        #expect(outcome.errors.contains("stopped after epoch \(losses.count), 3 without a better validation loss; the model is that of epoch \(best), "), "\(outcome.errors)")
        #expect(try Self.tensors(workshop, "run/model.safetensors") == Self.tensors(workshop, "run/best.safetensors"))
        let evaluation = try #require(Workshop.objects(workshop.fathom("evaluate", "run", "--json").output).first)
        #expect(evaluation["loss"] as? Double == end["test_loss"] as? Double)

        // The epoch that was the best, trained to by itself, ends with that model.
        _ = try workshop.start(["train"] + Self.restless + ["--epochs", "\(best)", "--output", "short"]).wait()
        #expect(try Self.tensors(workshop, "short/model.safetensors") == Self.tensors(workshop, "run/best.safetensors"))
        // Without patience the last model is the model.
        let longer = try workshop.start(["train"] + Self.restless.filter { $0 != "--quiet" } + ["--epochs", "\(best + 1)", "--output", "longer"]).wait()
        #expect(longer.errors.contains("best.safetensors is the model of epoch \(best), "), "\(longer.errors)")
        #expect(try workshop.read("longer/best.safetensors") == workshop.read("run/best.safetensors"))
        #expect(try Self.tensors(workshop, "longer/model.safetensors") != Self.tensors(workshop, "longer/best.safetensors"))
    }

    @Test("killed at any moment and resumed, it is reduced and stopped where it would have been, and verified")
    func killed() throws {
        let workshop = try Workshop()
        let flags = ["train"] + Self.restless + ["--epochs", "60", "--schedule", "plateau(factor: 0.7, patience: 2)", "--patience", "8", "--ema", "0.9", "--accumulate", "3", "--checkpoint", "every: 5"]
        let whole = try workshop.start(flags + ["--output", "whole"]).wait()
        #expect(whole.status == 0, "\(whole.errors)")
        var random = SystemRandomNumberGenerator()
        for attempt in 0..<4 {
            let running = try workshop.start(attempt == 0 ? flags + ["--output", "killed"] : ["resume", "killed", "--quiet"])
            while attempt == 0 && running.process.isRunning && !workshop.contents.contains("killed/recipe.yaml") { usleep(1_000) }
            usleep(.random(in: 20_000...250_000, using: &random))
            kill(running.process.processIdentifier, SIGKILL)
            _ = running.wait()
        }
        let resumed = try workshop.fathom("resume", "killed", "--quiet")
        #expect(resumed.status == 0, "\(resumed.errors)")
        try expectSameRun(workshop, "whole", "killed")
        let verified = try workshop.fathom("resume", "killed", "--verify")
        #expect(verified.status == 0 && verified.errors.contains("verified: "), "\(verified.errors)")
    }

    @Test("the average of the weights is what is validated, kept, tested and predicts")
    func average() throws {
        let workshop = try Workshop()
        let flags = ["train"] + Self.restless + ["--epochs", "4"]
        _ = try workshop.start(flags + ["--ema", "0.95", "--output", "run"]).wait()
        _ = try workshop.start(flags + ["--output", "plain"]).wait()
        // Averaging changes nothing of the training itself.
        #expect(try Self.epochs(workshop, "run", "train_loss") == Self.epochs(workshop, "plain", "train_loss"))
        #expect(try Self.epochs(workshop, "run", "validation_loss") != Self.epochs(workshop, "plain", "validation_loss"))
        #expect(try Self.tensors(workshop, "run/model.safetensors") != Self.tensors(workshop, "plain/model.safetensors"))
        let end = try #require(workshop.lines("run/history.jsonl").last)
        for model in ["run", "run/checkpoint.safetensors"] {
            let evaluation = try #require(Workshop.objects(workshop.fathom("evaluate", model, "--data", "digits", "--json").output).first)
            let other = try #require(Workshop.objects(workshop.fathom("evaluate", "run/model.safetensors", "--data", "digits", "--json").output).first)
            #expect(evaluation["loss"] as? Double == other["loss"] as? Double)
        }
        let evaluation = try #require(Workshop.objects(workshop.fathom("evaluate", "run", "--json").output).first)
        #expect(evaluation["loss"] as? Double == end["test_loss"] as? Double)
    }

    @Test("a run that stopped early goes on with more patience as if it had always had it, and not with less")
    func morePatience() throws {
        let workshop = try Workshop()
        let flags = ["train"] + Self.restless + ["--epochs", "40"]
        _ = try workshop.start(flags + ["--patience", "2", "--output", "run"]).wait()
        _ = try workshop.start(flags + ["--patience", "4", "--output", "patient"]).wait()
        let done = try workshop.fathom("resume", "run", "--epochs", "41")
        #expect(done.status == 0 && done.errors.contains("the last 2 epochs without a better validation loss") && done.errors.contains("--patience 4"), "\(done.errors)")
        let less = try workshop.fathom("resume", "run", "--patience", "1")
        #expect(less.status == 65 && less.errors.contains("a patience of 2, and 1 might have ended it before"), "\(less.errors)")
        #expect(try workshop.fathom("resume", "run", "--patience", "4", "--quiet").status == 0)
        try expectSameRun(workshop, "patient", "run")
        #expect(try workshop.fathom("resume", "run", "--patience", "0", "--quiet").status == 0)
        _ = try workshop.start(flags + ["--output", "endless"]).wait()
        try expectSameRun(workshop, "endless", "run")
    }

    @Test("a part of an epoch that steps end a training in can be the best, and leaves no trace in a longer training")
    func partOfAnEpoch() throws {
        let workshop = try Workshop()
        let flags = ["train"] + digits + ["--validation", "0.1", "--schedule", "plateau(patience: 1)"]
        _ = try workshop.start(flags + ["--epochs", "4", "--output", "long"]).wait()
        // 1,293 rows: 13 steps an epoch.
        _ = try workshop.start(flags + ["--steps", "20", "--output", "run"]).wait()
        let losses = try Self.epochs(workshop, "run", "validation_loss"), end = try #require(workshop.lines("run/history.jsonl").last)
        #expect(losses.count == 2 && losses[1] < losses[0] && end["best_epoch"] as? Int == 2 && end["best_validation_loss"] as? Double == losses[1])
        #expect(try Self.tensors(workshop, "run/model.safetensors") == Self.tensors(workshop, "run/best.safetensors"))
        #expect(try workshop.fathom("resume", "run", "--epochs", "4", "--quiet").status == 0)
        try expectSameRun(workshop, "long", "run")
    }

    @Test("a new schedule forgets the plateau of the old one")
    func forgotten() throws {
        let workshop = try Workshop()
        let restless = ["train"] + Self.restless + ["--epochs", "12", "--output", "run", "--schedule", "plateau(factor: 0.5, patience: 1, threshold: 0.5)"]
        #expect(try workshop.start(restless).wait().status == 0)
        #expect(try workshop.fathom("resume", "run", "--epochs", "13", "--schedule", "plateau(factor: 0.1, patience: 1)", "--quiet").status == 0)
        let rates = try workshop.lines("run/history.jsonl").filter { $0["event"] as? String == "step" }.compactMap { $0["learning_rate"] as? Double }
        #expect(rates[12 * 13 - 1] < 1 && rates.last == 1)
    }

    @Test("a schedule that the training is too short for is cut off, and said so")
    func cutOff() throws {
        let workshop = try Workshop()
        let outcome = try workshop.start(
            ["train"] + digits.filter { $0 != "--quiet" } + ["--steps", "3", "--schedule", "warmup-stable-decay(warmup: 4, decay: 4)", "--output", "run"]).wait()
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("schedule: warmup-stable-decay(warmup: 4, decay: 4) takes 8 steps, and the training has 3; it is cut off"), "\(outcome.errors)")
    }
}
