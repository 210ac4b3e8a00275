import Fathom
import FathomFormats
import Foundation
import Testing

@testable import FathomCommand
import FathomCommandLine

@Suite("Events as JSON")
struct EventTests {
    @Test("--json prints the lines of the history and nothing else")
    func json() throws {
        let workshop = try Workshop()
        let outcome = try workshop.fathom("train", "--data", "digits", "--epochs", "2", "--validation", "0.2", "--json", "--output", "run", "--quiet")
        let history = try workshop.read("run/history.jsonl")
        #expect(outcome.status == 0 && outcome.output == String(decoding: history, as: UTF8.self))
        let lines = try Workshop.objects(outcome.output)
        #expect(lines.map { $0["event"] as? String } == ["start"] + [[String]](repeating: [String](repeating: "step", count: 12) + ["epoch"], count: 2).joined() + ["end"])
        #expect(Set(lines[0].keys) == ["event", "recipe", "parameters", "fathom", "isa", "threads", "gradient_at_start"])
        #expect(Set(lines[1].keys) == ["event", "step", "epoch", "loss", "learning_rate", "gradient_norm", "clipped_gradient_norm", "clip_coefficient", "layers"])
        #expect(Set(lines[13].keys) == ["event", "epoch", "train_loss", "validation_loss", "validation_accuracy", "samples_per_second", "seconds"])
        #expect(Set(lines[26].keys).union(lines[27].keys) == [
            "event", "epoch", "train_loss", "validation_loss", "validation_accuracy", "samples_per_second", "seconds",
            "test_loss", "test_loss_reason", "test_accuracy", "test_accuracy_reason", "best_epoch", "best_validation_loss", "clip_rate", "clip_rate_reason", "training_seconds",
            "outcome",
        ])
        #expect((lines[1]["layers"] as? [[String: Any]])?.map { $0["name"] as? String } == ["0.linear", "2.linear", "4.linear"])
        #expect(lines[0]["parameters"] as? Int == 26_122)
    }

    @Test("answers that are not finite are said to be none, by whoever gives them")
    func overflow() throws {
        let workshop = try Workshop(), warning = "not finite: the network overflows, as after a training that diverges"
        // The first step's update leaves weights that are finite, of a size that the next forward pass is not.
        let trained = try workshop.fathom(
            "train", "--data", "digits", "--network", "[linear(16) relu] * 2 linear(outputs)", "--optimizer", "sgd(1e30)", "--steps", "1", "--test", "0.9", "--output", "run")
        #expect(trained.status == 0 && trained.errors.contains("warning: the loss is \(warning)"), "\(trained.errors)")
        let evaluated = try workshop.fathom("evaluate", "run")
        #expect(evaluated.status == 0 && evaluated.errors.hasPrefix("warning: the loss is \(warning)"), "\(evaluated.errors)")
        let predicted = try workshop.fathom("predict", "run", "--data", "digits")
        #expect(predicted.status == 0 && predicted.errors.contains(/^warning: [0-9]+ of 1797 predictions are not finite: the network overflows/), "\(predicted.errors)")
        let sound = try workshop.fathom("train", "--data", "digits", "--steps", "1", "--test", "0.9", "--output", "sound", "--quiet")
        #expect(try sound.errors.isEmpty && workshop.fathom("predict", "sound", "--data", "digits").errors.isEmpty && workshop.fathom("evaluate", "sound").errors.isEmpty)
    }

    @Test("the loss of an epoch is the mean over its rows, and of the layers' gradients the norm is the whole")
    func sums() throws {
        let workshop = try Workshop()
        try workshop.fathom("train", "--data", "digits", "--epochs", "1", "--batch", "1000", "--output", "run", "--quiet")
        let lines = try workshop.lines("run/history.jsonl")
        let losses = lines.filter { $0["event"] as? String == "step" }.compactMap { $0["loss"] as? Double }
        // 1,797 rows: a batch of 1,000 and one of 797; the sum is taken in this order in float64.
        #expect(losses.count == 2 && lines[3]["train_loss"] as? Double == (losses[0] * 1000 + losses[1] * 797) / 1797)
        let layers = try #require(lines[1]["layers"] as? [[String: Any]]).compactMap { $0["gradient_norm"] as? Double }
        let norm = try #require(lines[1]["gradient_norm"] as? Double)
        // Squares and roots of float64 numbers: a few roundings of 1.1e-16.
        #expect(abs(layers.reduce(0) { $0 + $1 * $1 }.squareRoot() - norm) <= 1e-14 * norm)
        let members: Set = [
            "name", "gradient_norm", "signal_gradient_norm", "weight_norm", "update_ratio", "activation_mean", "activation_std", "slope_mean_square", "saturated",
            "dead", "subnormal", "nonfinite",
        ]
        #expect(try #require(lines[1]["layers"] as? [[String: Any]]).allSatisfy { Set($0.keys) == members })
    }
}

@Suite("Evaluations and predictions")
struct PredictionTests {
    private static let header = "a,b,label\n"
    /// Two clouds of points, each on its side of a = 0.
    private static let clouds = header + (0..<60).map { i in
        i.isMultiple(of: 2) ? "\(1 + Double(i % 7) / 7),\(i % 5),\"yes, so\"\n" : "\(-1 - Double(i % 7) / 7),\(i % 5),no\n"
    }.joined()

    @Test("evaluate says what the training said of its test rows")
    func evaluate() throws {
        let workshop = try Workshop()
        try workshop.fathom("train", "--data", "digits", "--test", "0.2", "--epochs", "2", "--output", "run", "--quiet")
        let end = try #require(workshop.lines("run/history.jsonl").last)
        let outcome = try workshop.fathom("evaluate", "run", "--json", "--threads", "1")
        let evaluation = try #require(Workshop.objects(outcome.output).first)
        #expect(evaluation["loss"] as? Double == end["test_loss"] as? Double && evaluation["accuracy"] as? Double == end["test_accuracy"] as? Double)
        #expect(evaluation["rows"] as? Int == 359)
    }

    @Test("columns are found by name in any order, the target may be absent, and a stream is as good as a file", arguments: ["cross-entropy", "binary-cross-entropy"])
    func classes(_ loss: String) throws {
        let workshop = try Workshop()
        try workshop.write(Self.clouds, "t.csv")
        let trained = try workshop.fathom("train", "--data", "t.csv", "--loss", loss, "--epochs", "60", "--batch", "10", "--optimizer", "adam(0.01)", "--output", "run", "--quiet")
        #expect(trained.status == 0, "\(trained.errors)")
        let first = try workshop.fathom("predict", "run", "--data", "t.csv")
        let rows = first.output.split(separator: "\n")
        #expect(first.status == 0 && rows[0] == "prediction,probability_no,\"probability_yes, so\"" && rows.count == 61)
        #expect(rows[1].hasPrefix("\"yes, so\",") && rows[2].hasPrefix("no,"))
        let sums = rows[2].split(separator: ",").dropFirst().compactMap { Float($0) }.reduce(0, +)
        // Two float32 probabilities, each within an ulp or so.
        #expect(abs(sums - 1) <= 1e-6)

        let turned = "extra,b,a\n" + Self.clouds.split(separator: "\n").dropFirst().map { line in
            let cells = line.split(separator: ",")
            return "x,\(cells[1]),\(cells[0])\n"
        }.joined()
        try workshop.write(turned, "u.csv")
        #expect(try workshop.fathom("predict", "run/model.safetensors", "--data", "u.csv", "--threads", "1").output == first.output)
        #expect(try workshop.fathom("predict", "run/checkpoint.safetensors", "--data", "-", input: turned).output == first.output)
        try workshop.fathom("predict", "run", "--data", "u.csv", "--output", "p.csv")
        #expect(try workshop.read("p.csv") == Data(first.output.utf8))
        let evaluated = try workshop.fathom("evaluate", "run", "--data", "t.csv")
        #expect(evaluated.output.contains(/t.csv +60 +[0-9.e-]+ +100.00 %/), "\(evaluated.output)\(evaluated.errors)")
    }

    @Test("a NaN is predicted without its sign")
    func notANumber() throws {
        let workshop = try Workshop()
        let trained = try workshop.fathom("train", "--data", "digits", "--optimizer", "sgd(1e10)", "--output", "run", "--quiet")
        #expect(trained.status == 71)
        let rows = try workshop.fathom("predict", "run", "--data", "digits").output.split(separator: "\n")
        #expect(rows.count == 1798 && rows[1].contains(",nan,nan") && !rows.contains { $0.contains("-nan") }, "\(rows.prefix(2))")
    }

    @Test("a regression is predicted and measured in the target's own units")
    func regression() throws {
        let workshop = try Workshop()
        try workshop.write("x,y\n" + (0..<200).map { "\(Double($0) / 100),\(1000 + 50 * Double($0) / 100)\n" }.joined(), "t.csv")
        let trained = try workshop.fathom(
            "train", "--data", "t.csv", "--network", "linear(outputs)", "--optimizer", "sgd(0.3)", "--epochs", "60", "--batch", "50", "--output", "run", "--quiet")
        #expect(trained.status == 0, "\(trained.errors)")
        let predicted = try workshop.fathom("predict", "run", "--data", "t.csv").output.split(separator: "\n").dropFirst().compactMap { Double($0) }
        #expect(predicted.count == 200)
        // A line is learned to float32's accuracy: 1e-4 of the target's deviation, 29, is generous.
        #expect(predicted.enumerated().allSatisfy { abs($1 - (1000 + 50 * Double($0) / 100)) < 0.003 })
        let evaluation = try #require(Workshop.objects(workshop.fathom("evaluate", "run", "--data", "t.csv", "--json").output).first)
        let mean = predicted.enumerated().reduce(0) { $0 + pow($1.element - (1000 + 50 * Double($1.offset) / 100), 2) } / 200
        #expect(abs(try #require(evaluation["loss"] as? Double) - mean) < 1e-6 && evaluation["accuracy"] == nil)
    }

    @Test("inspect shows layers, sizes, parameters and flops of a run, a model, a checkpoint and a recipe")
    func inspect() throws {
        let workshop = try Workshop()
        try workshop.fathom("train", "--data", "digits", "--epochs", "1", "--output", "run", "--quiet")
        for path in ["run", "run/model.safetensors", "run/checkpoint.safetensors", "run/recipe.yaml"] {
            let outcome = try workshop.fathom("inspect", path, "--json")
            let object = try #require(Workshop.objects(outcome.output).first)
            #expect(object["network"] as? String == "[linear(128) relu] * 2 linear(10)" && object["parameters"] as? Int == 26_122)
            #expect((object["layers"] as? [[String: Any]])?.count == 5)
            let text = try workshop.fathom("inspect", path)
            #expect(text.status == 0 && text.output.contains("8,320") && text.output.contains("26,122"))
        }
    }
}

@Suite("What the terminal sees")
struct TerminalTests {
    private static let state = Progress.State(
        epoch: 3, epochs: 10, fraction: 0.25, loss: 0.23411, gradientNorm: 0.5123, validation: "validation 97.77 %", samplesPerSecond: 81_234, secondsLeft: 11.2)

    @Test("the progress line fits in any width, and says as much as fits")
    func widths() {
        for width in 1...200 { #expect(Progress.line(Self.state, width: width, color: false).count < max(1, width) || width == 1) }
        #expect(Progress.line(Self.state, width: 120, color: false)
            == "epoch 3/10  [===>        ]  loss 0.2341  gradient 0.5123  validation 97.77 %  81k samples/s  0:12 left")
        #expect(Progress.line(Self.state, width: 60, color: false) == "epoch 3/10  loss 0.2341  gradient 0.5123  0:12 left")
        #expect(Progress.line(Self.state, width: 20, color: false) == "3/10  0.2341  0:12")
        #expect(Progress.line(Self.state, width: 20, color: true) == "\u{1B}[1m3/10\u{1B}[0m  0.2341  0:12")
    }

    @Test("elsewhere an epoch is a plain line")
    func plain() {
        #expect(Progress.plainLine(Self.state) == "epoch 3/10: loss 0.2341, gradient 0.5123, validation 97.77 %, 81k samples/s, 0:12 left")
    }

    @Test("numbers are short and never trap")
    func numbers() {
        #expect([0, 812, 8_140, 81_000, 999_600, 1.2e6, 1e30].map(Progress.rate) == ["0", "812", "8.1k", "81k", "1.0M", "1.2M", "1000000000000000000T"])
        #expect([.nan, .infinity, -1].map(Progress.rate) == ["?", "?", "?"])
        #expect([0, 8.5, 754, 3723, 273_600].map(Progress.duration) == ["0:00", "0:09", "12:34", "1:02:03", "3 d 4 h"])
        #expect([.nan, .infinity, 1e300, -1].map(Progress.duration) == ["?", "?", "?", "?"])
        #expect([Double.nan, .infinity, 1e-9].map(Progress.number) == ["nan", "inf", "1e-09"])
    }

    @Test("a dumb terminal is none, and NO_COLOR is obeyed")
    func environment() {
        #expect(!Terminal.current(environment: ["TERM": "dumb"]).isInteractive)
        #expect(!Terminal.current(environment: ["NO_COLOR": "1"]).hasColor)
    }

    @Test("a table is set in columns where they fit, below each other where they do not")
    func table() {
        let table = Table(header: ["name", "n"], rows: [["a", "10"], ["long name", "7"]], right: [1])
        #expect(table.text(width: nil) == "name        n\na          10\nlong name   7\n")
        #expect(table.text(width: 8) == "a\n  n: 10\nlong\nname\n  n: 7\n")
        for width in 6...20 { #expect(table.text(width: width).split(separator: "\n").allSatisfy { $0.count <= width }) }
    }

    @Test("every key of the recipe is a flag, and no flag is anything else")
    func flags() throws {
        for key in RecipeKey.allCases {
            var settings = Settings()
            try RecipeOptions.parse(["--" + key.rawValue, "x"]).apply(to: &settings)
            #expect(settings[key]?.text == "x" && settings[key]?.subject == "--" + key.rawValue)
        }
        #expect(Mirror(reflecting: try RecipeOptions.parse([])).children.count == RecipeKey.allCases.count)
    }

    @Test("help lists the commands there are")
    func help() throws {
        let workshop = try Workshop()
        let help = try workshop.fathom("--help")
        #expect(help.status == 0 && help.errors.isEmpty)
        for command in ["train", "resume", "evaluate", "predict", "inspect", "report", "datasets"] {
            #expect(help.output.contains("\n  \(command)"))
            #expect(try workshop.fathom(command, "--help").status == 0)
        }
        #expect(!help.output.contains("export"))
        #expect(try workshop.fathom("--version").output == fathomVersion + "\n")
        let alone = try workshop.fathom()
        #expect(alone.status == 0 && alone.output.contains("fathom train --data digits"))
    }

    @Test("datasets lists what goes by a name")
    func datasets() throws {
        let workshop = try Workshop()
        #expect(try workshop.fathom("datasets").output.contains("digits"))
        #expect(try Workshop.objects(workshop.fathom("datasets", "--json").output).first?["name"] as? String == "digits")
    }
}
