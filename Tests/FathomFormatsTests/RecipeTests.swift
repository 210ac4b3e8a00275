import Fathom
import Foundation
import Testing

@testable import FathomFormats

@Suite("Recipes")
struct RecipeTests {
    @Test("what is left out has the contract's defaults")
    func defaults() throws {
        let recipe = try Recipe(Settings(yaml: "data: digits", name: "r.yaml"))
        #expect(recipe.network.description == "[linear(128) relu] * 2 linear(outputs)")
        #expect(recipe.optimizer == .adamW(learningRate: 0.001, decay: 0.01))
        #expect(recipe.schedule == .constant && recipe.clip == .none && recipe.initializer == nil && recipe.loss == nil)
        #expect(recipe.epochs == 10 && recipe.steps == nil && recipe.batch == 128 && recipe.seed == 0 && recipe.shuffle)
        #expect(recipe.test == nil && recipe.validation == .none && recipe.standardize == nil && recipe.target == nil)
        #expect(recipe.patience == 0 && recipe.ema == nil && recipe.accumulate == 1 && recipe.recompute == .none && recipe.instruments == .summary(every: 1) && recipe.checkpoint == .minutes(5))
    }

    static let full = """
        # A comment.
        network: [linear(64, init: orthogonal(1.05, bias: 0.1)) tanh] * 4 linear(outputs)   # notation needs no quotes
        data: 'my table.csv'
        target: "true"
        test: 0.25
        validation: other.csv
        standardize: none
        shuffle: false
        loss: huber(2.5)
        optimizer: sgd(0.1, momentum: 0.9, nesterov: true)
        schedule: cosine(warmup: 200)
        clip: norm(1.0)
        init: gaussian(1.33, bias: 0.22)
        epochs: 12
        patience: 3
        batch: 17
        ema: 0.999
        accumulate: 4
        recompute: sqrt
        seed: 18446744073709551615
        instruments: full(every: 10)
        checkpoint: every: 100
        """

    @Test("every key is read")
    func everyKey() throws {
        let recipe = try Recipe(Settings(yaml: Self.full, name: "r.yaml"))
        #expect(recipe.network.layers.count == 9)
        #expect(recipe.data == "my table.csv" && recipe.target == "true")
        #expect(recipe.test == .fraction(0.25) && recipe.validation == .path("other.csv"))
        #expect(recipe.standardize == Standardization.Mode.none && !recipe.shuffle)
        #expect(recipe.loss == .huber(delta: 2.5))
        #expect(recipe.optimizer == .sgd(learningRate: 0.1, momentum: 0.9, nesterov: true))
        #expect(recipe.schedule == .cosine(warmup: 200) && recipe.clip == .norm(1))
        #expect(recipe.initializer?.description == "gaussian(1.33, bias: 0.22)")
        #expect(recipe.epochs == 12 && recipe.patience == 3 && recipe.batch == 17 && recipe.ema == 0.999 && recipe.accumulate == 4 && recipe.recompute == .sqrt && recipe.seed == .max)
        #expect(recipe.instruments == .full(every: 10) && recipe.checkpoint == .every(steps: 100))
    }

    @Test("what is written reads back to an equal recipe", arguments: [
        full, "data: digits", "data: digits\nsteps: 0\ntest: own\nema: 0\npatience: 0", "data: '  odd: name # not a comment'\ntarget: '123'", "data: \"é\\t'quoted'\"\ntarget: null.csv",
        "{data: digits, batch: 3, checkpoint: {minutes: 0.5}}", "data: spirals(2000, seed: 1)\ninit: fitting",
    ])
    func roundTrip(_ text: String) throws {
        let recipe = try Recipe(Settings(yaml: text, name: "r.yaml"))
        let written = try recipe.yaml()
        #expect(try Recipe(Settings(yaml: written, name: "w.yaml")) == recipe, "\(written)")
    }

    @Test("the recipe's JSON says the same as its YAML")
    func json() throws {
        let line = try Recipe(Settings(yaml: Self.full, name: "r.yaml")).json.line
        #expect(line.contains(#""seed":18446744073709551615"#) && line.contains(#""checkpoint":"every: 100""#) && line.contains(#""shuffle":false"#))
        #expect(try JSONSerialization.jsonObject(with: Data(line.utf8)) is [String: Any])
    }

    @Test("a flag wins over a line of the file")
    func flags() throws {
        var settings = try Settings(yaml: "data: digits\nbatch: 17", name: "r.yaml")
        settings.set(.batch, flag: "4")
        settings.set(.optimizer, flag: "sgd(1)")
        let recipe = try Recipe(settings)
        #expect(recipe.batch == 4 && recipe.optimizer == .sgd(learningRate: 1))
    }

    /// A recipe's text, and what the error must say.
    static let mistakes: [(text: String, says: [String])] = [
        ("data: digits\nbatch_size: 3", ["r.yaml:2", "unknown key 'batch_size'", "did you mean 'batch'?"]),
        ("data: digits\n\nlr: 0.1", ["r.yaml:3", "did you mean 'optimizer'?"]),
        ("data: digits\nweight_decay: 0.1", ["r.yaml:2", "did you mean 'optimizer'?"]),
        ("data: digits\nnetwrok: relu", ["r.yaml:2", "did you mean 'network'?"]),
        ("data: digits\nfrobnicate: 1", ["r.yaml:2", "unknown key 'frobnicate'", "the keys are network"]),
        ("data: digits\nbatch: many", ["r.yaml:2: batch", "whole number from 1", "'many'"]),
        ("data: digits\nbatch: 0", ["r.yaml:2: batch", "whole number from 1", "'0'"]),
        ("data: digits\nbatch: 12.5", ["r.yaml:2: batch", "'12.5'"]),
        ("data: digits\nbatch: [1, 2]", ["r.yaml:2: batch"]),
        ("data: digits\nbatch:", ["r.yaml:2: batch has no value"]),
        ("data: digits\npatience: -1", ["r.yaml:2: patience", "whole number from 0"]),
        ("data: digits\nema: 1", ["r.yaml:2: ema", "below 1", "'1'"]),
        ("data: digits\nema: 0.999999999", ["r.yaml:2: ema", "below 1"]),
        ("data: digits\nema: 1e-60", ["r.yaml:2: ema", "above 0"]),
        ("data: digits\nema: often", ["r.yaml:2: ema", "'often'"]),
        ("data: digits\naccumulate: 0", ["r.yaml:2: accumulate", "whole number from 1"]),
        ("data: digits\ngradient_accumulation_steps: 4", ["r.yaml:2", "did you mean 'accumulate'?"]),
        ("data: digits\nrecompute: all", ["r.yaml:2: recompute", "none, sqrt"]),
        ("data: digits\nearly_stopping: 5", ["r.yaml:2", "did you mean 'patience'?"]),
        ("data: digits\nepochs: -1", ["r.yaml:2: epochs", "whole number from 0"]),
        ("data: digits\nsteps: 99999999999999999999", ["r.yaml:2: steps", "whole number"]),
        ("data: digits\nseed: 18446744073709551616", ["r.yaml:2: seed", "18446744073709551615"]),
        ("data: digits\nseed: -1", ["r.yaml:2: seed"]),
        ("data: digits\nshuffle: perhaps", ["r.yaml:2: shuffle", "true or false"]),
        ("data: digits\ntest: 1", ["r.yaml:2: test", "fraction"]),
        ("data: digits\ntest: nan", ["r.yaml:2: test", "fraction"]),
        ("data: digits\nvalidation: 20%", ["r.yaml:2: validation", "fraction"]),
        ("data: digits\nstandardize: rows", ["r.yaml:2: standardize", "global, columns, none"]),
        ("data: digits\nloss: mean", ["r.yaml:2: loss", "unknown loss 'mean' at column 1"]),
        ("data: digits\noptimizer: adamw(0.001, weight_decay=0.1)", ["r.yaml:2: optimizer", "decay"]),
        ("data: digits\nnetwork: [lnear(3) relu] * 2", ["r.yaml:2: network", "unknown layer 'lnear' at column 2; did you mean 'linear'?"]),
        ("data: digits\ninstruments: summary(every: 0)", ["r.yaml:2: instruments", "at least 1"]),
        ("data: digits\ncheckpoint: minutes: 0", ["r.yaml:2: checkpoint", "above 0"]),
        ("data: digits\ncheckpoint: hourly", ["r.yaml:2: checkpoint", "every: n"]),
        ("data: digits\ndata: other", ["r.yaml:", "given twice"]),
        ("data: 'digits", ["r.yaml:", "not YAML"]),
        ("- data", ["r.yaml:1", "lines like"]),
        ("just text", ["r.yaml:1", "lines like"]),
        ("", ["no data"]),
        ("batch: 3", ["no data"]),
        ("data: ''", ["r.yaml:1: data"]),
    ]

    @Test("a mistake is told with file, line, and what would be right", arguments: mistakes)
    func mistake(_ text: String, _ says: [String]) {
        do {
            _ = try Recipe(Settings(yaml: text, name: "r.yaml"))
            Issue.record("accepted: \(text)")
        } catch {
            for part in says { #expect("\(error)".contains(part), "\(error)") }
        }
    }

    @Test("notation in a recipe may stand without quotes, and line numbers stay")
    func quoting() {
        let text = "network: [linear(3)] * 2  # two\nclip: norm(1)\noptimizer: adamw(0.1, decay: 0.2)\ndata: 'a: b'\nschedule:\n  constant"
        #expect(Settings.quotingNotation(text) == "network: '[linear(3)] * 2'  # two\nclip: norm(1)\noptimizer: 'adamw(0.1, decay: 0.2)'\ndata: 'a: b'\nschedule:\n  constant"
            .replacing("'  #", with: "' #"))
    }

    @Test("a byte order mark is no part of the text")
    func byteOrderMark() throws {
        let recipe = try Recipe(Settings(yaml: "\u{FEFF}network: [linear(4) tanh] * 2 linear(1)\ndata: digits", name: "r.yaml"))
        #expect(recipe.network.description == "[linear(4) tanh] * 2 linear(1)")
    }

    @Test("a pipe is read like a file")
    func pipe() throws {
        let pipe = Pipe()
        try pipe.fileHandleForWriting.write(contentsOf: Data("data: digits\nbatch: 17\n".utf8))
        try pipe.fileHandleForWriting.close()
        #expect(try Recipe(contentsOf: "/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)").batch == 17)
    }

    @Test("what has no end is no recipe")
    func endless() {
        #expect(throws: FathomError.invalid("/dev/zero is not a recipe: a recipe is a short YAML text of lines like 'batch: 128'")) {
            try Settings(contentsOf: "/dev/zero")
        }
    }

    @Test("threads and the run folder are not part of what is written")
    func machine() throws {
        let settings = try Settings(yaml: "data: digits\nthreads: 3\noutput: there", name: "r.yaml")
        #expect(try settings.threads() == 3 && settings.output == "there")
        let written = try Recipe(settings).yaml()
        #expect(!written.contains("threads") && !written.contains("there"))
        var wrong = settings
        wrong.set(.threads, flag: "0")
        #expect(throws: FathomError.invalid("--threads must be a whole number from 1 to 1024, not '0'")) { try wrong.threads() }
    }

    @Test("Documentation/files.md holds the table of keys as the code has it")
    func documentation() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "Documentation/files.md"), encoding: .utf8)
        #expect(text.contains(RecipeKey.referenceTable), "the table should be:\n\(RecipeKey.referenceTable)")
    }
}
