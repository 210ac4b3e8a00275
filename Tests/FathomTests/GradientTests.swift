import Fathom
import Testing

/// The core's gradients against central differences of the float64 reference.
@Suite struct GradientTests {
    static let activations = [
        "identity", "relu", "leakyrelu(0.01)", "elu", "selu", "gelu", "gelu(tanh)", "silu", "tanh", "sigmoid", "softplus", "hardtanh",
    ]
    static let losses: [Loss] = [
        .crossEntropy, .crossEntropy(smoothing: 0.1), .crossEntropy(weights: .classes([1, 2, 0.5])), .crossEntropy(smoothing: 0.2, weights: .classes([0, 3, 0.7])),
        .meanSquaredError, .meanAbsoluteError, .binaryCrossEntropy, .huber(delta: 0.5),
    ]

    // Central differences in float64 with h = 1e-5 err by about h²·f‴/6 ≈ 1e-11 and by rounding 1e-16/h = 1e-11; the core's float32 gradients by a few
    // hundred roundings of 6e-8. 1e-4 of the norm holds both with room; a wrong formula errs by its whole size. A kink of relu-like
    // functions within h of some z would show, and does not for these seeds.
    @Test(arguments: activations, losses)
    func gradientsOfEveryTensorMatchCentralDifferences(activation: String, loss: Loss) throws {
        let inputs = 5, outputs = 3, batch = 7
        let network = try Network("linear(19) \(activation) linear(6, bias: false) \(activation) linear(\(outputs))")
        let model = try Model(network, inputs: inputs, initializer: Initializer("lecun(bias: 0.3)"), seed: 3)
        let x = normals(batch * inputs, seed: 11)
        let trainer = try Trainer(model, loss: loss, optimizer: .sgd(learningRate: 0.1))
        let targets: [[Double]]
        let step: Trainer.Step
        if loss.isCrossEntropy {
            let classes = (0..<batch).map { Int32($0 % outputs) }
            targets = classes.map { [Double($0)] }
            step = try trainer.step(inputs: x, classes: classes)
        } else {
            let values = normals(batch * outputs, seed: 5).map { loss == .binaryCrossEntropy ? 1 / (1 + $0 * $0) : $0 }
            targets = (0..<batch).map { r in values[r * outputs..<(r + 1) * outputs].map(Double.init) }
            step = try trainer.step(inputs: x, targets: values)
        }
        var reference = try ReferenceNetwork(model)
        let rows = (0..<batch).map { r in x[r * inputs..<(r + 1) * inputs].map(Double.init) }
        let exact = reference.loss(loss, inputs: rows, targets: targets)
        #expect(abs(step.loss - exact) <= 1e-5 * max(1, exact))

        for (t, gradient) in try trainer.lastGradients().enumerated() {
            var error = 0.0, norm = 0.0
            for i in gradient.values.indices {
                let kept = reference.tensors[t][i], h = 1e-5
                reference.tensors[t][i] = kept + h
                let above = reference.loss(loss, inputs: rows, targets: targets)
                reference.tensors[t][i] = kept - h
                let below = reference.loss(loss, inputs: rows, targets: targets)
                reference.tensors[t][i] = kept
                let difference = (above - below) / (2 * h)
                error += (Double(gradient.values[i]) - difference) * (Double(gradient.values[i]) - difference)
                norm += difference * difference
            }
            #expect(error.squareRoot() <= 1e-4 * norm.squareRoot(), "\(gradient.name) of \(network) under \(loss)")
        }
    }

    @Test func activationsWithoutALinearLayerBeforeThemAreDifferentiatedToo() throws {
        let network = try Network("tanh linear(4) gelu silu linear(2) sigmoid tanh")
        let model = try Model(network, inputs: 3, seed: 1)
        let x = normals(6, seed: 2), t = normals(4, seed: 3)
        let trainer = try Trainer(model, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0.1))
        try trainer.step(inputs: x, targets: t)
        var reference = try ReferenceNetwork(model)
        let rows = [x[0..<3].map(Double.init), x[3..<6].map(Double.init)], targets = [t[0..<2].map(Double.init), t[2..<4].map(Double.init)]
        for (index, gradient) in try trainer.lastGradients().enumerated() {
            for i in gradient.values.indices {
                let kept = reference.tensors[index][i]
                reference.tensors[index][i] = kept + 1e-5
                let above = reference.loss(.meanSquaredError, inputs: rows, targets: targets)
                reference.tensors[index][i] = kept - 1e-5
                let below = reference.loss(.meanSquaredError, inputs: rows, targets: targets)
                reference.tensors[index][i] = kept
                // Entries are of size 0.01 to 1; float32 leaves them an absolute error of some 1e-7.
                #expect(abs(Double(gradient.values[i]) - (above - below) / 2e-5) <= 2e-6, "\(gradient.name)[\(i)]")
            }
        }
    }
}
