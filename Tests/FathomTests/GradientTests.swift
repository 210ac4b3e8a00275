import Fathom
import Testing

/// A network and a loss whose gradients are checked, every parameter and every input.
struct GradientCase: CustomTestStringConvertible, Sendable {
    let network: String
    var inputs = 5
    var rows = 6
    var loss = "mse"

    var testDescription: String { "\(network), \(inputs) inputs, \(rows) rows, \(loss)" }
}

/// The core's gradients against central differences of the float64 reference.
@Suite struct GradientTests {
    static let activations = [
        "identity", "relu", "leakyrelu(0.01)", "elu", "selu", "gelu", "gelu(tanh)", "silu", "tanh", "sigmoid", "softplus", "hardtanh",
    ]
    static let losses = [
        "cross-entropy", "cross-entropy(smoothing: 0.1)", "cross-entropy(weights: classes(1, 2, 0.5))", "cross-entropy(smoothing: 0.2, weights: classes(0, 3, 0.7))",
        "mse", "mean-absolute-error", "binary-cross-entropy", "huber(0.5)",
    ]

    @Test(arguments: activations, ["cross-entropy", "mse"])
    func everyActivation(activation: String, loss: String) throws {
        try check(GradientCase(network: "linear(19) \(activation) linear(6, bias: false) \(activation) linear(3)", rows: 7, loss: loss))
    }

    @Test(arguments: losses)
    func everyLoss(loss: String) throws {
        try check(GradientCase(network: "linear(19) tanh linear(3)", rows: 17, loss: loss))
        try check(GradientCase(network: "sequence(5) layernorm linear(19) residual[gelu] last linear(3)", inputs: 35, rows: 3, loss: loss))
        try check(GradientCase(network: "sequence(5) gru(4) linear(3)", inputs: 10, rows: 4, loss: loss))
    }

    @Test(arguments: [
        GradientCase(network: "tanh linear(4) gelu silu linear(2) sigmoid tanh"),
        GradientCase(network: "[linear(3) tanh] * 3"),
    ])
    func activationsAnywhere(_ example: GradientCase) throws { try check(example) }

    static let normalizations = [
        "layernorm linear(19) layernorm tanh linear(3)",
        "linear(19) gelu layernorm linear(18) layernorm gelu linear(3) layernorm",
        "linear(19) relu layernorm(gain: false) linear(3)",
        "linear(19) layernorm(bias: false, epsilon: 0.1) linear(3)",
        "linear(19) layernorm(gain: false, bias: false) silu linear(3)",
        "rmsnorm linear(19) tanh rmsnorm linear(3) rmsnorm",
        "linear(19) rmsnorm(gain: false, epsilon: 0.01) relu linear(3)",
        "[linear(19, bias: false) batchnorm relu] * 2 linear(3)",
        "batchnorm linear(19) tanh batchnorm(epsilon: 0.1) gelu linear(3) batchnorm",
        "linear(19) silu batchnorm(gain: false) linear(3)",
        "linear(19) selu batchnorm(bias: false) linear(18) batchnorm(gain: false, bias: false) linear(3)",
        "linear(4) batchnorm layernorm rmsnorm tanh linear(2)",
    ]
    @Test(arguments: normalizations)
    func everyNormalization(network: String) throws {
        try check(GradientCase(network: network, rows: 9))
        try check(GradientCase(network: network, rows: 5, loss: "cross-entropy"))
    }

    @Test(arguments: ["dropout(0.3) linear(19) tanh dropout(0.5) linear(18) dropout(0.2) relu linear(3)", "linear(3) dropout(0.9)", "linear(3) dropout(0)"])
    func everyDropout(network: String) throws { try check(GradientCase(network: network)) }

    static let residuals = [
        "residual[linear(19) tanh linear(5)] linear(3)",
        "linear(6) tanh residual[layernorm linear(19) relu linear(6)] * 2 layernorm linear(3)",
        "linear(6) [residual[linear(19) gelu linear(6)] layernorm] * 2 linear(3)",
        "linear(6) residual(scale: 0.3)[linear(6) tanh] relu linear(3)",
        "linear(6) residual(scale: 1/sqrt(depth))[linear(6) silu linear(6)] * 3 linear(3)",
        "linear(6) gelu residual(rezero)[linear(19) tanh linear(6)] * 2 linear(3)",
        "linear(6) residual(skipinit, start: 0.2)[linear(6) relu] * 2 tanh linear(3)",
        "linear(6) residual[linear(19) tanh] residual(scale: 0.5)[linear(17)] linear(3)",
        "residual(rezero)[linear(19) gelu linear(4) relu] linear(3)",
        "linear(6) silu residual(skipinit)[tanh linear(18)] layernorm residual[linear(3)]",
        "linear(6) residual[tanh residual(rezero)[linear(7) gelu linear(6)] linear(6) relu] linear(3)",
        "linear(6) residual(scale: 1/sqrt(depth))[residual(scale: 1/sqrt(depth))[linear(6) tanh] linear(7)] residual(scale: 1/sqrt(depth))[linear(7)] linear(3)",
        "linear(6) residual[batchnorm relu linear(6) batchnorm relu linear(6)] * 2 batchnorm linear(3)",
        "linear(6) residual[dropout(0.5) linear(6) tanh dropout(0.4)] * 2 linear(3)",
        "linear(6) residual[tanh] residual[layernorm] residual(rezero)[rmsnorm gelu] linear(3)",
        "residual[tanh] residual[linear(5)] residual[layernorm linear(5)]",
        "linear(3) residual[residual[residual[linear(3) tanh]]]",
    ]
    @Test(arguments: residuals)
    func everyResidual(network: String) throws { try check(GradientCase(network: network)) }

    static let recurrent = [
        "sequence(5) linear(19) tanh last linear(3)",
        "sequence(5) linear(19) tanh mean linear(3)",
        "sequence(5) layernorm linear(18) silu linear(3)",
        "sequence(5) last", "sequence(5) tanh mean linear(2) gelu",
        "sequence(5) rnn(17, tanh) last linear(3)",
        "sequence(5) rnn(6, relu) mean linear(3)",
        "sequence(5) rnn(6, identity) linear(3)",
        "sequence(5) rnn(3, tanh, bias: false)",
        "sequence(5) lstm(6) last linear(3)", "sequence(2) lstm(17) mean linear(3)", "sequence(5) lstm(4) linear(3)", "sequence(5) lstm(3, bias: false)",
        "sequence(5) gru(6) last linear(3)", "sequence(2) gru(17) mean linear(3)", "sequence(5) gru(4) linear(3)", "sequence(5) gru(3, bias: false)",
        "sequence(1) lstm(4) last linear(3)", "sequence(1) gru(4)", "sequence(1) rnn(4, tanh) mean",
        "sequence(5) rnn(4, tanh) rnn(3, relu) rnn(4, identity) last linear(2)",
        "sequence(5) lstm(4) lstm(3) mean linear(2)", "sequence(5) gru(4) gru(3) linear(2)", "sequence(5) gru(4) lstm(3) rnn(4, tanh) last",
        "sequence(5) rnn(4, tanh, truncate: 2) last linear(3)", "sequence(5) rnn(4, identity, truncate: 1) linear(3)",
        "sequence(5) lstm(4, truncate: 2) linear(3)", "sequence(6) gru(4, truncate: 3) mean linear(3)", "sequence(3) gru(4, truncate: 5) linear(3)",
        "sequence(6) lstm(4, truncate: 2) gru(3, truncate: 4) rnn(3, tanh) linear(2)",
        "sequence(5) linear(4) gelu lstm(4) layernorm tanh gru(4) batchnorm mean relu linear(2)",
        "sequence(5) tanh rnn(4, tanh) relu last gelu linear(2)",
        "sequence(5) linear(4) residual[layernorm lstm(4)] residual[rnn(6, tanh)] last linear(2)",
        "sequence(5) linear(4) residual(rezero)[gru(6) linear(4)] * 2 residual(scale: 1/sqrt(depth))[lstm(4)] mean",
        "sequence(5) dropout(0.3) lstm(4) dropout(0.5) last dropout(0.2) linear(2)",
        "sequence(5) batchnorm lstm(4) batchnorm linear(2)",
        "sequence(5) gru(4) last residual[linear(4) tanh] layernorm linear(2)",
    ]
    @Test(arguments: recurrent)
    func everySequence(network: String) throws {
        let steps = Int(network.dropFirst("sequence(".count).prefix { $0 != ")" })!
        try check(GradientCase(network: network, inputs: 3 * steps, rows: 4))
    }

    @Test(arguments: [
        GradientCase(network: "sequence(5) gru(4) last linear(3)", inputs: 10, loss: "cross-entropy"),
        GradientCase(network: "sequence(5) rnn(2, tanh)", inputs: 20, rows: 1, loss: "binary-cross-entropy"),
        GradientCase(network: "sequence(20) rnn(3, tanh) last", inputs: 340, rows: 2),
        GradientCase(network: "linear(17) layernorm tanh linear(18) relu residual[linear(18)] linear(17)", inputs: 18, rows: 17, loss: "cross-entropy"),
        GradientCase(network: "linear(3) layernorm", inputs: 1, rows: 1),
    ])
    func otherShapes(_ example: GradientCase) throws { try check(example) }
}

extension GradientTests {
    /// Compares the core's loss and every gradient of one training step with the reference.
    private func check(_ example: GradientCase) throws {
        let network = try Network(example.network), loss = try Loss(example.loss)
        let model = try moved(Model(network, inputs: example.inputs, seed: 3))
        let (samples, rows, targets) = try draw(example, model, loss)
        let result = try model.gradients(of: samples, loss: loss, seed: 9, step: 4)

        var reference = try ReferenceNetwork(model), pass = ReferenceNetwork.Pass(seed: 9, step: 4), inputs = rows
        let exact = reference.loss(loss, inputs: inputs, targets: targets, &pass)
        #expect(abs(result.loss - exact) <= 1e-5 * max(1, exact))
        try checkPrediction(model, samples, rows, reference)

        // Central differences in float64 with h = 1e-5 err by about h²·f‴/6 ≈ 1e-11 and by rounding 1e-16/h = 1e-11; the core's float32 gradients by a few
        // hundred roundings of 6e-8. 1e-4 of the norm holds both with room; a wrong formula errs by its whole size. A kink of relu-like
        // functions within h of some z would show, and does not for these seeds.
        let h = 1e-5
        var differences: [(name: String, core: [Float], exact: [Double])] = []
        for gradient in result.parameters {
            differences.append((gradient.name, gradient.values, gradient.values.indices.map { i in
                let kept = reference.tensors[gradient.name]![i]
                defer { reference.tensors[gradient.name]![i] = kept }
                reference.tensors[gradient.name]![i] = kept + h
                let above = reference.loss(loss, inputs: inputs, targets: targets, &pass)
                reference.tensors[gradient.name]![i] = kept - h
                return (above - reference.loss(loss, inputs: inputs, targets: targets, &pass)) / (2 * h)
            }))
        }
        differences.append(("the inputs", result.inputs, result.inputs.indices.map { i in
            let (r, c) = i.quotientAndRemainder(dividingBy: example.inputs), kept = inputs[r][c]
            defer { inputs[r][c] = kept }
            inputs[r][c] = kept + h
            let above = reference.loss(loss, inputs: inputs, targets: targets, &pass)
            inputs[r][c] = kept - h
            return (above - reference.loss(loss, inputs: inputs, targets: targets, &pass)) / (2 * h)
        }))

        let learned = reference.tensors.filter { !$0.key.contains("running_") }
        #expect(Set(result.parameters.map(\.name)) == Set(learned.keys) && result.parameters.allSatisfy { $0.values.count == learned[$0.name]!.count })
        #expect(result.inputs.count == rows.count * example.inputs)
        let whole = differences.map { norm($0.exact) }.reduce(0) { ($0 * $0 + $1 * $1).squareRoot() }
        for (name, core, exact) in differences {
            let error = norm(zip(core, exact).map { Double($0) - $1 })
            // What a normalization takes away again has no gradient: a bias in front of one, for example. Roundings are all that is left of it.
            let tolerance = norm(exact) > 1e-7 * whole ? 1e-4 * norm(exact) : 1e-6 * whole
            #expect(error <= tolerance, "\(name): off by \(error) of \(norm(exact))")
        }
    }

    /// The model with every learned tensor moved from where it starts, so that no scale is 0 and no gain 1.
    private func moved(_ model: Model) throws -> Model {
        let file = try model.safeTensors()
        let tensors = file.tensors.enumerated().map { i, tensor in
            let moves = normals(tensor.values.count, seed: UInt64(100 + i))
            return SafeTensors.Tensor(name: tensor.name, shape: tensor.shape, values: zip(tensor.values, moves).map {
                tensor.name.hasSuffix("running_var") ? $0 + $1 * $1 : $0 + 0.2 * $1
            })
        }
        return try Model(SafeTensors(metadata: file.metadata, tensors: tensors), name: "moved")
    }

    /// Samples for the core, and the same rows and targets for the reference.
    private func draw(_ example: GradientCase, _ model: Model, _ loss: Loss) throws -> (Samples, [[Double]], Batch) {
        let features = normals(example.rows * example.inputs, seed: 11)
        let steps = model.network.outputSteps ?? 1
        let targets: Samples.Targets, answers: [[Double]]  // of a sample's steps in order
        if loss.description.hasPrefix("cross-entropy") {
            let classes = (0..<example.rows * steps).map { Int32($0 * 7 % 5 % model.outputs) }
            targets = model.network.outputSteps == nil ? .classes(classes) : .stepClasses(classes, steps: steps)
            answers = classes.map { [Double($0)] }
        } else {
            let values = normals(example.rows * steps * model.outputs, seed: 5).map { example.loss == "binary-cross-entropy" ? 1 / (1 + $0 * $0) : $0 }
            targets = .values(values, width: steps * model.outputs)
            answers = values.rows(of: model.outputs)
        }
        let batch = (0..<steps).map { t in (0..<example.rows).map { answers[$0 * steps + t] } }
        return (try Samples(columns: example.inputs, features: .floats(features), targets: targets), features.rows(of: example.inputs), batch)
    }

    /// What the model predicts for the same rows: running statistics, no dropout.
    private func checkPrediction(_ model: Model, _ samples: Samples, _ rows: [[Double]], _ reference: ReferenceNetwork) throws {
        var pass = ReferenceNetwork.Pass(training: false)
        let batch = reference.outputs(rows, &pass)
        let exact = rows.indices.flatMap { r in batch.flatMap { $0[r] } }, core = try model.predict(samples)
        #expect(core.count == exact.count)
        // Some hundred roundings of 6e-8, of numbers of size 1.
        #expect(norm(zip(core, exact).map { Double($0) - $1 }) <= 1e-5 * norm(exact), "predictions")
    }

    private func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
}
