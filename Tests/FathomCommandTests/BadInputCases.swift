import Foundation
import Testing

/// A command line that cannot be right, with the files it finds, and what must come of it.
struct BadInput: Sendable, CustomTestStringConvertible {
    let name: String
    let arguments: [String]
    var files: [String: Data] = [:]
    var environment: [String: String] = [:]
    var input = ""
    let status: Int32
    /// Parts of the sentence on standard error: the place, and what is wrong.
    let says: [String]

    var testDescription: String { name }
}

/// `train` with this data and these flags; the files are beside it.
private func train(
    _ name: String, _ data: String = "digits", _ flags: String..., files: [String: Data] = [:], status: Int32 = 65, says: String...
) -> BadInput {
    BadInput(name: name, arguments: ["train", "--data", data] + flags, files: files, status: status, says: says)
}

/// `train` on a CSV of this text.
private func table(_ name: String, _ text: String, _ flags: String..., says: String...) -> BadInput {
    BadInput(name: name, arguments: ["train", "--data", "t.csv"] + flags, files: ["t.csv": Data(text.utf8)], status: 65, says: says)
}

private func recipe(_ name: String, _ text: String, says: String...) -> BadInput {
    BadInput(name: name, arguments: ["train", "r.yaml"], files: ["r.yaml": Data(text.utf8)], status: 65, says: says)
}

private func usage(_ name: String, _ arguments: String..., says: String...) -> BadInput {
    BadInput(name: name, arguments: arguments, status: 64, says: says)
}

/// A command on the run folder `run`, or on files made from it.
private func onRun(
    _ name: String, _ arguments: String..., files: [String: Data] = [:], status: Int32 = 65, says: String...
) -> BadInput {
    BadInput(name: name, arguments: arguments, files: Fixture.run.merging(files) { _, new in new }, status: status, says: says)
}

private func idx(_ magic: [UInt8], _ sizes: [UInt32], _ bytes: Int) -> Data {
    var data = Data(magic)
    for size in sizes { data.append(contentsOf: withUnsafeBytes(of: size.bigEndian, Array.init)) }
    data.append(Data(repeating: 1, count: bytes))
    return data
}

/// A model file that claims this network, without tensors.
private func named(network: String) -> Data {
    let header = Data(#"{"__metadata__":{"network":"\#(network)","inputs":"2"}}"#.utf8)
    return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) } + header
}

private let images: [UInt8] = [0, 0, 8, 3], labels: [UInt8] = [0, 0, 8, 1]

let badInputs: [BadInput] = notationCases + recipeCases + flagCases + tableCases + binaryCases + modelCases + reportCases + outputCases

private let notationCases: [BadInput] = [
    train("a layer misspelt", "digits", "--network", "lnear(10)", says: "--network: unknown layer 'lnear' at column 1; did you mean 'linear'?"),
    train("a bracket left open", "digits", "--network", "[linear(10", says: "--network", "column"),
    train("no network", "digits", "--network", "", says: "--network", "no network"),
    train("a width that does not fit the classes", "digits", "--network", "linear(7)", says: "--network", "linear(7)", "10"),
    train("a layer of no width", "digits", "--network", "linear(0) linear(outputs)", says: "--network", "column"),
    train("too many layers", "digits", "--network", "[linear(10)] * 99999999999", says: "--network", "column"),
    train("a network that no memory holds", "digits", "--network", "[linear(1000000)] * 2 linear(outputs)", says: "memory"),
    train("control characters", "digits", "--network", "linear(\u{1B}[31m)", says: "--network", "column"),
    train("another tool's label", "digits", "--optimizer", "adamw(0.001, weight_decay=0.1)", says: "--optimizer", "decay"),
    train("a negative learning rate", "digits", "--optimizer", "adam(-1)", says: "--optimizer", "column 6"),
    train("a loss that there is not", "digits", "--loss", "mean", says: "--loss", "unknown loss 'mean'"),
    train("a schedule before its start", "digits", "--schedule", "cosine(warmup: -1)", says: "--schedule", "column"),
    train("clipping of time steps without any", "digits", "--clip", "time-norm(1)", says: "--clip", "rnn, lstm or gru"),
    train("clipping to nothing", "digits", "--clip", "norm(0)", says: "--clip", "column"),
    train("another tool's initializer", "digits", "--init", "xavier", says: "--init", "did you mean 'glorot'?"),
]

private let recipeCases: [BadInput] = [
    BadInput(name: "a recipe that is not there", arguments: ["train", "missing.yaml"], status: 66, says: ["missing.yaml"]),
    BadInput(name: "a folder for a recipe", arguments: ["train", "there"], files: ["there/x": Data()], status: 65, says: ["there is a folder"]),
    BadInput(name: "bytes for a recipe", arguments: ["train", "r.yaml"], files: ["r.yaml": Data([0xFF, 0xFE, 0, 1])], status: 65, says: ["r.yaml"]),
    recipe("an empty recipe", "", says: "no data"),
    recipe("an unknown key", "data: digits\nbatch_size: 3\n", says: "r.yaml:2: unknown key 'batch_size'; did you mean 'batch'?"),
    recipe("text where a number belongs", "data: digits\nepochs: many\n", says: "r.yaml:2: epochs must be a whole number"),
    recipe("a list where a number belongs", "data: digits\nepochs:\n  - 1\n", says: "r.yaml:2: epochs"),
    recipe("a key given twice", "data: digits\ndata: digits\n", says: "r.yaml:", "twice"),
    recipe("what is not YAML", "data: 'digits\n", says: "r.yaml:", "YAML"),
    recipe("notation that is wrong in a recipe", "data: digits\n\nnetwork: [lnear(3)] * 2\n", says: "r.yaml:3: network: unknown layer 'lnear' at column 2"),
]

private let flagCases: [BadInput] = [
    usage("another tool's flag", "train", "--data", "digits", "--lr", "0.1", says: "'--lr'", "did you mean '--optimizer'?"),
    usage("a flag misspelt", "train", "--data", "digits", "--epohs", "3", says: "did you mean '--epochs'?"),
    usage("a flag without its value", "train", "--data", "digits", "--epochs", says: "--epochs"),
    usage("a flag in place of a value", "train", "--data", "digits", "--output", "--json", says: "--output", "--json"),
    usage("an unknown command", "trian", says: "no command 'trian'"),
    usage("an unknown command with flags", "trian", "--data", "digits", says: "no command 'trian'"),
    usage("an argument too many", "train", "a.yaml", "b.yaml", says: "b.yaml"),
    usage("nothing to train on", "train", says: "--data"),
    usage("nothing to resume", "resume", says: "run"),
    usage("nothing to predict", "predict", "run", says: "--data"),
    usage("a schedule without epochs", "resume", "run", "--schedule", "constant", says: "--epochs"),
    train("more passes than rows", "digits", "--batch", "8", "--accumulate", "9", says: "--accumulate", "8 rows", "9 passes"),
    train("an average that never moves", "digits", "--ema", "1", says: "--ema", "below 1"),
    train("patience without anything to judge by", "digits", "--patience", "3", says: "--patience", "validation rows", "--validation 0.1"),
    train("patience below none", "digits", "--patience", "-1", says: "--patience", "'-1'"),
    train("epochs below none", "digits", "--epochs", "-3", says: "--epochs", "'-3'"),
    train("a seed below none", "digits", "--seed", "-1", says: "--seed", "18446744073709551615"),
    train("a seed too large", "digits", "--seed", "18446744073709551616", says: "--seed", "18446744073709551615"),
    train("no threads", "digits", "--threads", "0", says: "--threads", "1 to 1024"),
    train("threads below none", "digits", "--threads", "-1", says: "--threads"),
    train("threads beyond reason", "digits", "--threads", "10000", says: "--threads", "1024"),
    train("an empty batch", "digits", "--batch", "0", says: "--batch"),
    train("a batch that no integer holds", "digits", "--batch", "99999999999999999999", says: "--batch"),
    train("more than everything for testing", "digits", "--test", "1.5", says: "--test", "fraction"),
    train("a fraction that leaves nothing", "digits", "--test", "0.9999", says: "--test"),
    train("a test split of its own that there is not", "digits", "--test", "own", says: "--test", "no test split"),
    train("neither true nor false", "digits", "--shuffle", "perhaps", says: "--shuffle", "true or false"),
    train("a checkpoint at no time", "digits", "--checkpoint", "minutes: 0", says: "--checkpoint"),
    train("instruments that there are not", "digits", "--instruments", "violin", says: "--instruments", "summary"),
    train("a column of images", "digits", "--target", "price", says: "--target price", "no columns"),
    train("weights for three classes of ten", "digits", "--loss", "cross-entropy(weights: classes(1, 2, 3))", says: "--loss", "3 class weights", "10 classes"),
    train("two classes asked of ten", "digits", "--loss", "binary-cross-entropy", says: "--loss", "10"),
    BadInput(name: "an instruction set that there is not", arguments: ["train", "--data", "digits"], environment: ["FATHOM_ISA": "mmx"], status: 65,
             says: ["FATHOM_ISA", "reference"]),
] + ["abc", "0", "-1", "2,many", "2147483647"].map {
    BadInput(name: "OMP_NUM_THREADS is \($0)", arguments: ["train", "--data", "digits"], environment: ["OMP_NUM_THREADS": $0], status: 65,
             says: ["OMP_NUM_THREADS is '\($0)'", "from 1 to 1024"])
}

private let tableCases: [BadInput] = [
    train("data that are not there", "nowhere.csv", status: 66, says: "nowhere.csv"),
    train("a set that there is not", "mnits", status: 66, says: "mnits"),
    table("an empty table", "", says: "t.csv is empty"),
    table("a header alone", "a,b\n", says: "t.csv", "no rows"),
    table("one column", "a\n1\n", says: "t.csv has one column"),
    table("a cell that is NaN", "a,b\n1,2\nnan,3\n", says: "t.csv:3", "column 'a'", "nan"),
    table("an infinite cell", "a,b\n1,2\ninf,3\n", says: "t.csv:3", "column 'a'"),
    table("a cell beyond float32", "a,b\n1e99,2\n3,3\n", says: "t.csv:2", "column 'a'"),
    table("an empty cell", "a,b\n1,2\n,3\n", says: "t.csv:3", "column 'a' is empty"),
    table("an empty label", "a,b\n1,x\n2,\n", says: "t.csv:3", "column 'b'"),
    table("a row too short", "a,b,c\n1,2,3\n1,2\n", says: "t.csv:3", "2 fields"),
    table("a row too long", "a,b\n1,2\n1,2,3\n", says: "t.csv:3", "3 fields"),
    table("text among the features", "a,b\n1,2\nred,3\n", says: "t.csv:3", "'red'"),
    table("a quote left open", "a,b\n1,\"2\n", says: "t.csv:2"),
    table("semicolons", "a;b\n1;2\n", says: "t.csv", "semicolons"),
    table("two columns of a name", "a,a,b\n1,2,3\n", says: "t.csv:1", "'a'"),
    table("a target that is not a column", "a,b\n1,2\n", "--target", "price", says: "t.csv", "'price'"),
    table("numbers asked of text", "a,b\n1,x\n2,y\n", "--loss", "mse", says: "t.csv:2", "'x'"),
    table("classes asked of fractions", "a,b\n1,2\n2,2.5\n", "--loss", "cross-entropy", says: "t.csv:3", "2.5"),
    table("class weights for numbers", "a,b\n1,0.5\n2,2\n", "--loss", "mse(weights: balanced)", says: "--loss", "cross-entropy(weights: balanced)"),
    table("a class without a row to balance", "a,b\n1,x\n2,y\n3,x\n", "--loss", "cross-entropy(weights: balanced)", "--test", "0.4", "--seed", "2", says: "--loss", "'y'"),
    table("targets farther apart than float32 reaches", "a,b,y\n1,1,3e38\n4,1,-3e38\n7,1,2\n", says: "t.csv", "from -3e+38 to 3e+38", "scale them down"),
    table("targets too far apart for outputs beyond them", "a,b,y\n1,1,1.6e38\n4,1,-1.6e38\n7,1,2\n", says: "t.csv", "scale them down"),
    table("a chance above one", "a,b\n1,0.5\n2,2.5\n", "--loss", "binary-cross-entropy", says: "t.csv:2", "0.5"),
    BadInput(name: "UTF-16", arguments: ["train", "--data", "t.csv"], files: ["t.csv": Data([0xFF, 0xFE, 0x61, 0])], status: 65, says: ["t.csv", "UTF-16"]),
    BadInput(name: "a test table without a column", arguments: ["train", "--data", "t.csv", "--test", "u.csv"],
             files: ["t.csv": Data("a,b,c\n1,2,3\n2,3,4\n".utf8), "u.csv": Data("a,c\n1,2\n".utf8)], status: 65, says: ["u.csv has no column 'b'"]),
    BadInput(name: "a test label that is no class", arguments: ["train", "--data", "t.csv", "--test", "u.csv"],
             files: ["t.csv": Data("a,b\n1,x\n2,y\n".utf8), "u.csv": Data("a,b\n1,z\n".utf8)], status: 65, says: ["u.csv:2", "'z' is not a class"]),
]

private let binaryCases: [BadInput] = [
    train("a file of an unknown kind", "t.dat", files: ["t.dat": Data("x".utf8)], says: "t.dat"),
    train("a folder without a set", "there", files: ["there/x": Data()], status: 65, says: "there"),
    train("a torn gzip", "t.csv.gz", files: ["t.csv.gz": Data([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0x4B])], says: "t.csv.gz"),
    train("images of another magic", "there",
          files: ["there/train-images-idx3-ubyte": idx([9, 9, 9, 9], [2, 2, 2], 8), "there/train-labels-idx1-ubyte": idx(labels, [2], 2)], says: "train-images"),
    train("images cut short", "there",
          files: ["there/train-images-idx3-ubyte": idx(images, [2, 2, 2], 7), "there/train-labels-idx1-ubyte": idx(labels, [2], 2)], says: "train-images"),
    train("more images than bytes can be", "there",
          files: ["there/train-images-idx3-ubyte": idx(images, [.max, .max, .max], 8), "there/train-labels-idx1-ubyte": idx(labels, [2], 2)], says: "train-images"),
    train("labels of another number", "there",
          files: ["there/train-images-idx3-ubyte": idx(images, [2, 2, 2], 8), "there/train-labels-idx1-ubyte": idx(labels, [3], 3)], says: "train-"),
    train("images without labels", "there", files: ["there/train-images-idx3-ubyte": idx(images, [2, 2, 2], 8)], status: 65, says: "there"),
    train("an archive that is none", "t.npz", files: ["t.npz": Data("not a zip".utf8)], says: "t.npz"),
    train("an archive cut short", "t.npz", files: ["t.npz": Data([0x50, 0x4B, 3, 4, 20, 0])], says: "t.npz"),
]

private let modelCases: [BadInput] = [
    BadInput(name: "a run that is not there", arguments: ["evaluate", "runs/none"], status: 66, says: ["runs/none"]),
    BadInput(name: "a folder that is no run", arguments: ["resume", "there"], files: ["there/x": Data()], status: 65, says: ["there is not a run folder"]),
    onRun("an inspection of nothing", "inspect", "nothing", status: 66, says: "nothing"),
    onRun("a model cut short", "predict", "m.safetensors", "--data", "ok.csv", files: ["m.safetensors": Fixture.model.dropLast(3)], says: "m.safetensors"),
    onRun("a model's header cut short", "inspect", "m.safetensors", files: ["m.safetensors": Fixture.model.prefix(100)], says: "m.safetensors"),
    onRun("no bytes for a model", "inspect", "m.safetensors", files: ["m.safetensors": Data()], says: "m.safetensors"),
    onRun("a table for a model", "inspect", "ok.csv", says: "ok.csv"),
    onRun("a model with a NaN in it", "predict", "m.safetensors", "--data", "ok.csv", files: ["m.safetensors": Fixture.model.dropLast(4) + Data([0, 0, 0xC0, 0x7F])],
          says: "m.safetensors", "nan"),
    onRun("a model larger than any memory", "inspect", "m.safetensors", files: ["m.safetensors": named(network: "linear(16777216) linear(16777216)")],
          says: "m.safetensors: ", "10^14 parameters"),
    onRun("a model larger than this memory", "predict", "m.safetensors", "--data", "ok.csv", files: ["m.safetensors": named(network: "linear(4000000) linear(4000000)")],
          says: "m.safetensors: ", "memory"),
    onRun("no threads for a finished run", "resume", "run", "--threads", "0", says: "--threads", "1 to 1024, not '0'"),
    onRun("threads that are no number for a finished run", "resume", "run", "--threads", "abc", says: "--threads", "1 to 1024, not 'abc'"),
    onRun("a checkpoint cut short", "resume", "run", files: ["run/checkpoint.safetensors": Fixture.checkpoint.dropLast(9)], says: "checkpoint.safetensors"),
    onRun("a model in the checkpoint's place", "resume", "run", files: ["run/checkpoint.safetensors": Fixture.model], says: "checkpoint.safetensors"),
    onRun("a recipe changed under a run", "resume", "run", "--epochs", "9",
          files: ["run/recipe.yaml": Data("data: t.csv\nnetwork: linear(outputs)\n".utf8)], says: "checkpoint.safetensors", "network"),
    onRun("data changed under a run", "resume", "run", "--epochs", "9", files: ["t.csv": Data("a,b,label\n1,2,x\n3,4,y\n5,6,x\n7,8.5,y\n".utf8)],
          says: "training rows of t.csv", "changed"),
    onRun("fewer rows under a run", "resume", "run", "--epochs", "9", files: ["t.csv": Data("a,b,label\n1,2,x\n3,4,y\n".utf8)], says: "4x2", "2x2"),
    onRun("fewer epochs than are done", "resume", "run", "--epochs", "1", says: "--epochs", "more"),
    onRun("patience for a run without validation rows", "resume", "run", "--patience", "2", says: "--patience", "no validation rows"),
    onRun("a run without test rows", "evaluate", "run", says: "--data"),
    onRun("a table without a column", "predict", "run", "--data", "u.csv", files: ["u.csv": Data("a,label\n1,x\n".utf8)], says: "u.csv has no column 'b'"),
    onRun("a table of another width", "predict", "run", "--data", "u.csv", files: ["u.csv": Data("1,2,3,4,5\n".utf8)], says: "u.csv"),
    onRun("a label that is no class", "evaluate", "run", "--data", "u.csv", files: ["u.csv": Data("a,b,label\n1,2,z\n".utf8)], says: "u.csv:2", "'z' is not a class"),
    onRun("a table without labels", "evaluate", "run", "--data", "u.csv", files: ["u.csv": Data("a,b\n1,2\n".utf8)], says: "u.csv", "'label'"),
    onRun("images for a table's model", "predict", "run", "--data", "digits", says: "digits", "64"),
    onRun("nothing on standard input", "predict", "run", "--data", "-", says: "standard input is empty"),
    onRun("a model evaluated on nothing", "evaluate", "run/model.safetensors", status: 64, says: "--data"),
]

private let history = Fixture.run["run/history.jsonl"] ?? Data()

private let reportCases: [BadInput] = [
    usage("a report of nothing", "report", says: "run"),
    onRun("a report of a run that is not there", "report", "run", "runs/none", status: 66, says: "there is no run 'runs/none'"),
    onRun("a report of a file", "report", "t.csv", says: "t.csv is a file, not a run folder"),
    onRun("a report of a folder that is no run", "report", "there", files: ["there/x": Data()], says: "there is not a run folder"),
    onRun("a report of a run without a history", "report", "there", files: ["there/recipe.yaml": Data("data: t.csv\n".utf8)], status: 66, says: "there/history.jsonl"),
    onRun("a report of an empty history", "report", "run", files: ["run/history.jsonl": Data()], says: "run/history.jsonl:1", "empty"),
    onRun("a report of a torn line", "report", "run", files: ["run/history.jsonl": history.dropLast(7) + Data("\n".utf8)], says: "run/history.jsonl:6: the line is damaged at column"),
    onRun("a report of bytes", "report", "run", files: ["run/history.jsonl": Data([0xFF, 0, 10])], says: "run/history.jsonl:1"),
    onRun("a report of a recipe that is none", "report", "run", files: ["run/recipe.yaml": Data("data: t.csv\nnetwork: lnear(3)\n".utf8)], says: "run/recipe.yaml:2"),
    onRun("a report over another file", "report", "run", "run", "--output", "t.csv", status: 73, says: "t.csv", "no report of fathom's"),
    onRun("a report over another file in the run", "report", "run", files: ["run/report.html": Data("<p>mine</p>".utf8)], status: 73, says: "run/report.html"),
    onRun("a report over a folder", "report", "run", "--output", "run", status: 73, says: "run is a folder"),
    onRun("a report to no folder", "report", "run", "--output", "none/r.html", status: 73, says: "none/r.html"),
    onRun("a report without a name", "report", "run", "--output", "", status: 64, says: "--output"),
]

private let outputCases: [BadInput] = [
    train("a file in the way", "digits", "--output", "there", files: ["there": Data()], status: 73, says: "'there'", "file"),
    train("a file for a parent", "digits", "--output", "there/run", files: ["there": Data()], status: 73, says: "'there/run'"),
    train("a file where runs go", "digits", files: ["runs": Data()], status: 73, says: "'runs'"),
    train("a place where nothing can be made", "digits", "--output", "/proc/fathom", status: 73, says: "/proc/fathom"),
    train("a folder with other things in it", "digits", "--output", "there", files: ["there/thesis.tex": Data()], status: 73, says: "there", "--output"),
    onRun("a run in the way", "train", "--data", "t.csv", "--output", "run", status: 73, says: "run already holds a run", "fathom resume run"),
    onRun("predictions to no folder", "predict", "run", "--data", "ok.csv", "--output", "none/p.csv", status: 73, says: "none/p.csv"),
    onRun("predictions over a folder", "predict", "run", "--data", "ok.csv", "--output", "run", status: 73, says: "run is a folder"),
]
