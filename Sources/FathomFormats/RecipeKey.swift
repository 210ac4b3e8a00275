import Fathom

/// The keys of a recipe, each of them a flag of the same name: the one table behind the reader, the flags' help and the reference page.
public enum RecipeKey: String, CaseIterable, Sendable {
    case network, data, target, test, validation, standardize, shuffle
    case loss, optimizer, schedule, clip, ema
    case initializer = "init"
    case epochs, steps, patience, batch, accumulate, recompute, seed, threads, instruments, checkpoint, output

    /// What the key says, in a few words.
    public var meaning: String {
        switch self {
        case .network: "the network, in notation"
        case .data: "a named set, or a path: .csv(.gz), .npz, a folder with an IDX set"
        case .target: "a table's label column"
        case .test: "held out for the end: a fraction, a path, 'own' (the set's own test split), or 0"
        case .validation: "held out for a look after every epoch: a fraction, a path, or 0"
        case .standardize: "one mean and deviation (global), one for each column (columns), or none"
        case .shuffle: "a fresh order each epoch, from the seed"
        case .loss: "cross-entropy, mse, mean-absolute-error, binary-cross-entropy, huber(1.0)"
        case .optimizer: "sgd(…), adam(…), adamw(…), rmsprop(…), lion(…)"
        case .schedule: "of the learning rate: constant, linear, cosine(warmup: steps), step(epochs: n, factor: f), one-cycle, warmup-stable-decay, plateau"
        case .clip: "of the gradient, in order: norm(1.0), value(0.5), adaptive(0.01) norm(1.0), …"
        case .ema: "decay of a moving average of the weights, which is then the model: 0.999; 0 for none"
        case .initializer: "for layers that do not say: he, glorot, lecun, orthogonal, …"
        case .epochs: "times through the training rows"
        case .steps: "steps to take, in place of epochs; 0 writes the initial model"
        case .patience: "epochs without a better validation loss after which to stop, and take the best; 0 for no such stop"
        case .batch: "rows a step"
        case .accumulate: "passes that a step's batch is run in, for less memory"
        case .recompute: "in the backward pass: none, or sqrt, for memory that grows with the root of the depth; changes no bit of the result"
        case .seed: "a whole number from 0 to 2^64 - 1"
        case .threads: "threads to use; changes no bit of the result"
        case .instruments: "what history.jsonl says of the layers: none, summary(every: n), full(every: n)"
        case .checkpoint: "how often to save: every: n (steps), minutes: m"
        case .output: "the run folder"
        }
    }

    /// What holds where the key is absent; nil where the key must be given.
    public var defaultText: String? {
        switch self {
        case .network: "[linear(128) relu] * 2 linear(outputs)"
        case .data: nil
        case .target: "the last column"
        case .test: "own where the set has one, else 0"
        case .validation: "0"
        case .standardize: "global for images, columns for tables, none for adding and copy"
        case .shuffle: "true"
        case .loss: "cross-entropy for classes, mse for numbers"
        case .optimizer: "adamw(0.001, decay: 0.01)"
        case .schedule: "constant"
        case .clip: "none"
        case .ema: "0"
        case .initializer: "fits the activation that follows"
        case .epochs: "10"
        case .steps: "as epochs say"
        case .patience: "0"
        case .batch: "128"
        case .accumulate: "1"
        case .recompute: "none"
        case .seed: "0"
        case .threads: "the machine's cores"
        case .instruments: "summary(every: 1)"
        case .checkpoint: "minutes: 5"
        case .output: "runs/<data>-<n>, the next free n"
        }
    }

    /// The reference table of the recipe, in Markdown.
    public static var referenceTable: String {
        var lines = ["| key | meaning | default |", "|---|---|---|"]
        for key in allCases {
            lines.append("| `\(key.rawValue)` | \(key.meaning) | \(key.defaultText ?? "required") |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The key that somebody who wrote `name` most likely meant: other tools' names for the same thing, then the nearest spelling.
    public static func suggestion(for name: String) -> RecipeKey? {
        vocabulary.suggestion(for: name).flatMap { RecipeKey(rawValue: $0) ?? otherNames[$0] }
    }

    /// Long names of other tools are recognized with a slip too.
    private static let vocabulary = Vocabulary(
        kind: "key", names: allCases.map(\.rawValue) + otherNames.keys.filter { $0.count > 6 }.sorted(), synonyms: otherNames.mapValues(\.rawValue))

    /// What other tools call them, in lower case without dashes and underscores.
    private static let otherNames: [String: RecipeKey] = [
        "lr": .optimizer, "learningrate": .optimizer, "weightdecay": .optimizer, "wd": .optimizer, "decay": .optimizer,
        "momentum": .optimizer, "nesterov": .optimizer, "beta": .optimizer, "betas": .optimizer, "eps": .optimizer,
        "epsilon": .optimizer, "optim": .optimizer, "solver": .optimizer, "adam": .optimizer, "adamw": .optimizer, "sgd": .optimizer,
        "rmsprop": .optimizer, "lion": .optimizer,
        "batchsize": .batch, "minibatch": .batch, "bs": .batch, "batches": .batch,
        "model": .network, "net": .network, "arch": .network, "architecture": .network, "layers": .network, "hidden": .network,
        "dataset": .data, "train": .data, "input": .data, "inputs": .data, "csv": .data, "file": .data,
        "label": .target, "labels": .target, "y": .target, "class": .target, "labelcolumn": .target,
        "val": .validation, "valid": .validation, "dev": .validation, "valsplit": .validation, "validationsplit": .validation,
        "holdout": .test, "testsplit": .test, "testsize": .test,
        "normalize": .standardize, "normalization": .standardize, "scale": .standardize, "standardization": .standardize,
        "criterion": .loss, "objective": .loss, "lossfunction": .loss,
        "scheduler": .schedule, "lrschedule": .schedule, "lrscheduler": .schedule, "warmup": .schedule, "cosine": .schedule,
        "gradclip": .clip, "clipping": .clip, "clipnorm": .clip, "clipvalue": .clip, "maxgradnorm": .clip, "gradientclipping": .clip,
        "initializer": .initializer, "initialization": .initializer, "weights": .initializer,
        "epoch": .epochs, "numepochs": .epochs, "nepochs": .epochs, "iterations": .steps, "maxsteps": .steps, "iters": .steps, "step": .steps,
        "earlystopping": .patience, "earlystop": .patience, "stoppatience": .patience,
        "accumulation": .accumulate, "accumulationsteps": .accumulate, "gradaccum": .accumulate, "gradaccumsteps": .accumulate,
        "gradientaccumulation": .accumulate, "gradientaccumulationsteps": .accumulate, "accumulategradbatches": .accumulate, "microbatches": .accumulate,
        "emadecay": .ema, "averaging": .ema, "weightaveraging": .ema, "exponentialmovingaverage": .ema, "polyak": .ema, "swa": .ema,
        "remat": .recompute, "rematerialization": .recompute, "gradientcheckpointing": .recompute, "activationcheckpointing": .recompute,
        "checkpointactivations": .recompute,
        "randomseed": .seed, "randomstate": .seed, "manualseed": .seed, "cores": .threads, "jobs": .threads, "workers": .threads,
        "numthreads": .threads, "nthreads": .threads,
        "log": .instruments, "logging": .instruments, "statistics": .instruments, "instrument": .instruments,
        "save": .checkpoint, "saveevery": .checkpoint, "checkpoints": .checkpoint, "ckpt": .checkpoint,
        "out": .output, "outputdir": .output, "outdir": .output, "dir": .output, "run": .output, "folder": .output, "outputfolder": .output,
    ]
}
