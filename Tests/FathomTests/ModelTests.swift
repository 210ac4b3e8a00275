@testable import Fathom
import CKernels
import Foundation
import Testing

@Suite struct ModelTests {
    /// The numerical contract: each output is one chain of fused multiply-adds over the inputs, then the bias.
    @Test(arguments: [(1, 1, 1), (7, 16, 17), (5, 33, 10), (300, 129, 40)])
    func aLinearLayerEqualsTheNaiveLoopBitForBit(rows: Int, inputs: Int, outputs: Int) throws {
        let model = try Model(Network("linear(\(outputs), init: normal(1.0, bias: 1.0))"), inputs: inputs, seed: 2)
        let x = normals(rows * inputs, seed: 8), tensors = try model.parameters()
        let y = try model.predict(x, threads: 2)
        for r in 0..<rows {
            for o in 0..<outputs {
                var chain: Float = 0
                for k in 0..<inputs { chain = chain.addingProduct(x[r * inputs + k], tensors[0].values[o * inputs + k]) }
                #expect(y[r * outputs + o] == chain + tensors[1].values[o])
            }
        }
    }

    @Test func predictionsAreTheSameFromManyTasks() async throws {
        let model = try Model(Network("[linear(64) tanh] * 3 linear(4)"), inputs: 10, seed: 6)
        let x = normals(1300 * 10, seed: 1), expected = try model.predict(x, threads: 2)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 { group.addTask { try model.predict(x, threads: 1) == expected } }
            for try await same in group { #expect(same) }
        }
        // A sample's prediction does not depend on its company.
        #expect(try model.predict(Array(x[0..<10])) == Array(expected[0..<4]))
        #expect(try model.predict([]) == [])
    }

    @Test func aModelComesBackFromItsFile() throws {
        var model = try Model(Network("[linear(21) leakyrelu(0.2)] * 2 linear(outputs)"), inputs: 9, outputs: 3, seed: 1)
        model.details = Model.Details(
            loss: .crossEntropy, inputStandardization: try Standardization(mean: [0.1, 2, 3, 4, 5, 6, 7, 8, 9], deviation: Array(repeating: 1 / 3, count: 9)),
            classes: ["a", "b", "c"], columns: (0..<9).map { "column \($0)" }, target: "label")
        let url = FileManager.default.temporaryDirectory.appending(path: "fathom-\(UUID()).safetensors")
        defer { try? FileManager.default.removeItem(at: url) }
        try model.write(to: url)
        let read = try Model(contentsOf: url), x = normals(90, seed: 3)
        #expect(read.details == model.details && read.network == model.network)
        #expect(try read.predict(x) == model.predict(x))
        #expect(try Data(contentsOf: url) == read.safeTensors().serialized())
        #expect(try model.parameters().map(\.name) == ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"])
        #expect(try model.parameters()[0].shape == [21, 9])
    }

    @Test func filesThatAreNoModelsAreRefusedByName() throws {
        let model = try Model(Network("linear(2)"), inputs: 3)
        let good = try model.safeTensors()
        func refused(_ change: (inout SafeTensors) -> Void) -> String {
            var file = good
            change(&file)
            do {
                _ = try Model(file, name: "m")
                return "read"
            } catch { return "\(error)" }
        }
        #expect(refused { $0.metadata = [:] } == "m: not a Fathom model: its metadata lack 'network' or 'inputs'")
        #expect(refused { $0.tensors.removeLast() } == "m: tensor '0.bias' is missing")
        #expect(refused { $0.tensors[0].shape = [3, 2] } == "m: tensor '0.weight' has shape [3, 2]; linear(2) needs [2, 3]")
        #expect(refused { $0.tensors[0].values[4] = .nan } == "m: tensor '0.weight' holds nan at element 4")
        #expect(refused { $0.tensors.append(.init(name: "9.weight", shape: [0], values: [])) } == "m: tensor '9.weight' belongs to no layer of linear(2)")
        #expect(refused { $0.metadata["details"] = "{" } == "m: its details cannot be read")
        #expect(refused { $0.metadata["details"] = #"{"loss":"cross-entropy(weights: classes(1, 2, 3))"}"# }
            == "m: cross-entropy has 3 class weights, and there are 2 classes; give one for each, in order")
        #expect(refused { $0.metadata["network"] = "lnear(2)" }.hasPrefix("m: its network or details cannot be read: unknown layer 'lnear'"))
    }

    static let variances: [(String, Double)] = [
        ("he", 2 / 400), ("glorot", 2 / 700), ("lecun", 1 / 400), ("he(uniform)", 2 / 400), ("gaussian(1.5)", 2.25 / 400), ("normal(0.3)", 0.09),
    ]

    @Test(arguments: variances)
    func drawnWeightsHaveTheVarianceOfTheirFormula(initializer: String, variance: Double) throws {
        let model = try Model(Network("linear(300) relu"), inputs: 400, initializer: Initializer(initializer), seed: 12)
        let weights = try model.parameters()[0].values.map(Double.init), n = Double(weights.count)
        let mean = weights.reduce(0, +) / n, measured = weights.reduce(0) { $0 + $1 * $1 } / n
        // 120,000 draws: the mean's standard error is σ/√n, the variance's σ²·√(2/n) for normals; five of each.
        #expect(abs(mean) < 5 * (variance / n).squareRoot())
        #expect(abs(measured / variance - 1) < 5 * (2 / n).squareRoot())
        if initializer.contains("uniform") { #expect(weights.allSatisfy { abs($0) <= (3 * variance).squareRoot() * (1 + 1e-7) }) }
        #expect(try model.parameters()[1].values.allSatisfy { $0 == 0 })
    }

    @Test(arguments: [(40, 40), (50, 20), (20, 50)])
    func orthogonalWeightsAreOrthonormal(inputs: Int, outputs: Int) throws {
        let model = try Model(Network("linear(\(outputs))"), inputs: inputs, initializer: Initializer("orthogonal(1.5)"), seed: 2)
        let w = try model.parameters()[0].values.map(Double.init)
        let vectors = outputs <= inputs
            ? (0..<outputs).map { o in (0..<inputs).map { w[o * inputs + $0] } } : (0..<inputs).map { i in (0..<outputs).map { w[$0 * inputs + i] } }
        for (a, u) in vectors.enumerated() {
            for (b, v) in vectors.enumerated() {
                // float32 rounding of at most 50 products of size 1.5²/√50.
                #expect(abs(zip(u, v).reduce(0) { $0 + $1.0 * $1.1 } - (a == b ? 2.25 : 0)) < 1e-6)
            }
        }
    }

    @Test func probabilitiesAreTheSoftmaxOfTheLogits() throws {
        let model = try Model(Network("linear(37)"), inputs: 4, seed: 3)
        let samples = try Samples(columns: 4, features: .floats(normals(40, seed: 1)), targets: .none)
        let logits = try model.predict(samples), probabilities = try model.probabilities(samples), classes = try model.predictClasses(samples)
        for r in 0..<10 {
            let row = logits[r * 37..<(r + 1) * 37].map(Double.init), total = row.reduce(0) { $0 + exp($1) }
            for c in 0..<37 { #expect(abs(Double(probabilities[r * 37 + c]) - exp(row[c]) / total) < 1e-6) }
            #expect(classes[r] == row.firstIndex(of: row.max()!))
        }
    }

    @Test func networksThatNoMemoryHoldsAreRefused() throws {
        #expect(throws: FathomError.self) { try Model(Network("linear(16000000) linear(16000000)"), inputs: 1) }
        #expect(throws: FathomError.self) { try Model(Network("[linear(16000000)] * 20000"), inputs: 16_000_000) }
        #expect(try trainingMemory(
            Network("linear(16000000)"), inputs: 100_000, outputs: nil, loss: .meanSquaredError, optimizer: .adam(learningRate: 1), batch: .max) > 1 << 50)
    }
}
