import Fathom
import Testing

/// What normalizations promise beyond their gradients, which `GradientTests` checks.
@Suite struct NormalizationTests {
    @Test(arguments: ["linear(19) batchnorm(momentum: 0.3) tanh linear(3)", "sequence(2) batchnorm linear(4) batchnorm last linear(3)"])
    func runningStatisticsMoveByTheMomentum(network: String) throws {
        let model = try Model(Network(network), inputs: 6, seed: 2)
        let trainer = try Trainer(model, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0.1))
        let momentum = network.contains("0.3") ? 0.3 : 0.1
        for step in 0..<3 {
            let before = try trainer.model, x = normals(9 * 6, seed: UInt64(step)).map { 2 * $0 + 1 }
            try trainer.step(inputs: x, targets: normals(9 * 3, seed: 50))
            let reference = try ReferenceNetwork(before), after = try ReferenceNetwork(trainer.model)
            var pass = ReferenceNetwork.Pass()
            _ = reference.outputs(x.rows(of: 6), &pass)
            for (path, statistics) in pass.statistics {
                for (name, seen) in [("running_mean", statistics.mean), ("running_var", statistics.variance)] {
                    let old = reference.tensors["\(path).\(name)"]!, new = after.tensors["\(path).\(name)"]!
                    let expected = zip(old, seen).map { $0 + momentum * ($1 - $0) }
                    // A few roundings of float32 of the batch's statistics and of the average.
                    #expect(zip(new, expected).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) }, "\(path).\(name) after step \(step + 1)")
                }
            }
            #expect(!pass.statistics.isEmpty)
        }
    }

    @Test func aNewModelPredictsAsIfItsBatchesHadMeanZeroAndVarianceOne() throws {
        let model = try Model(Network("batchnorm(epsilon: 1e-12)"), inputs: 4)
        let x = normals(20, seed: 1)
        let y = try model.predict(x)
        #expect(zip(x, y).allSatisfy { abs($0 - $1) <= 1e-6 * abs($0) })
    }

    // The output does not change with the length of W, b: ⟨∂L/∂W, W⟩ + ⟨∂L/∂b, b⟩ = 0, and the gradient is as large as 1/|W, b|. Both hold for ε = 0; here ε is 1e-12
    // of the variance. Batch normalization takes the bias away, so that W alone obeys, and the bias has no gradient.
    @Test(arguments: ["layernorm", "rmsnorm", "batchnorm"])
    func lengthOfWeightsBeforeANormalizationHasNoGradient(name: String) throws {
        let network = try Network("linear(24, init: gaussian(1, bias: 0.3)) \(name)(epsilon: 1e-12) tanh linear(3)")
        let model = try Model(network, inputs: 7, seed: 4)
        let samples = try Samples(columns: 7, features: .floats(normals(11 * 7, seed: 1)), targets: .values(normals(11 * 3, seed: 2), width: 3))
        func gradients(_ model: Model) throws -> [String: [Double]] {
            Dictionary(uniqueKeysWithValues: try model.gradients(of: samples, loss: .meanSquaredError).parameters.map { ($0.name, $0.values.map(Double.init)) })
        }
        func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

        let gradient = try gradients(model), parameters = try ReferenceNetwork(model).tensors
        let names = name == "batchnorm" ? ["0.weight"] : ["0.weight", "0.bias"]
        let along = names.reduce(0) { $0 + dot(gradient[$1]!, parameters[$1]!) }
        let scale = names.reduce(0) { $0 + (dot(gradient[$1]!, gradient[$1]!) * dot(parameters[$1]!, parameters[$1]!)).squareRoot() }
        #expect(scale > 0.01 && abs(along) <= 1e-6 * scale)

        let file = try model.safeTensors()
        let doubled = try Model(SafeTensors(metadata: file.metadata, tensors: file.tensors.map { tensor in
            SafeTensors.Tensor(name: tensor.name, shape: tensor.shape, values: tensor.name.hasPrefix("0.") ? tensor.values.map { 2 * $0 } : tensor.values)
        }), name: "doubled")
        // Twice the weights, with ε that is nothing beside the variance: half the gradient to rounding.
        #expect(zip(try gradients(doubled)["0.weight"]!, gradient["0.weight"]!).allSatisfy { abs(2 * $0 - $1) <= 1e-5 * scale })
    }
}
