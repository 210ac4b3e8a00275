@testable import Fathom
import Testing

/// Faults planted one at a time, each of which the step must find where it was put.
@Suite struct FaultTests {
    private static let rows = 20

    /// Steps on rows in reverse order, so that a sample of the batch is another row of the data, with one number of the data replaced.
    private func fault(
        _ notation: String, inputs: Int = 4, input replaced: (row: Int, column: Int, value: Float)? = nil, target: (row: Int, value: Float)? = nil,
        parameter: (name: String, index: Int, value: Float)? = nil, scale: Float = 1, passes: Int = 1, clipping: Clipping = .none
    ) throws -> Fault? {
        let rows = Self.rows, model = try Model(Network(notation), inputs: inputs, seed: 2)
        var features = normals(rows * inputs, seed: 3).map { $0 * scale }
        if let replaced { features[replaced.row * inputs + replaced.column] = replaced.value }
        let width = model.outputs * (model.network.outputSteps ?? 1)
        var targets = normals(rows * width, seed: 4)
        if let target { targets[target.row * width] = target.value }
        let samples = try Samples(columns: inputs, features: .floats(features), targets: .values(targets, width: width))
        let trainer = try Trainer(model, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0.1), clipping: clipping, passes: passes)
        if let parameter {
            // No file of a model holds such a number; an update may leave one.
            let tensor = try #require(trainer.live.layout.all.first { $0.name == parameter.name }), floats = trainer.live.storage.floats(at: 0)
            let (output, input) = parameter.index.quotientAndRemainder(dividingBy: tensor.role == .weight ? tensor.rows : 1)
            let (group, column) = output.quotientAndRemainder(dividingBy: tensor.columnsOfGroup)
            tensor.group(group, in: floats)[input, column] = parameter.value
        }
        let before = try trainer.model.parameters().map(\.values)
        #expect {
            try trainer.step(samples, order: (0..<UInt32(rows)).reversed(), first: 0, rows: rows)
        } throws: {
            guard case FathomError.notFinite(1, let message) = $0 else { return false }
            return message.contains("; the first such value: ")
        }
        let after = try trainer.model.parameters().map(\.values)
        #expect(zip(before, after).allSatisfy { zip($0, $1).allSatisfy { $0.bitPattern == $1.bitPattern } })
        return trainer.lastFault
    }

    @Test func aNaNInASample() throws {
        for passes in [1, 3] {
            let fault = try #require(try fault("linear(5) tanh linear(2)", input: (row: 7, column: 2, value: -.nan), passes: passes))
            #expect(fault.pass == .input && fault.layer == nil && fault.sample == 12 && fault.row == 7 && fault.column == 2 && fault.value.isNaN)
            #expect("\(fault)".hasSuffix(" is nan"), "\(fault)")
        }
    }

    @Test func anInfinityInASequence() throws {
        let fault = try #require(try fault("sequence(4) rnn(3, tanh) last linear(1)", inputs: 8, input: (row: 19, column: 5, value: -.infinity)))
        #expect(fault.pass == .input && fault.timeStep == 2 && fault.sample == 0 && fault.row == 19 && fault.column == 1 && fault.value == -.infinity)
    }

    @Test func aNaNInATarget() throws {
        let fault = try #require(try fault("linear(2)", target: (row: 3, value: .nan)))
        #expect(fault.pass == .input && fault.quantity == "target" && fault.row == 3 && fault.column == 0)
    }

    @Test func anInfiniteWeight() throws {
        let fault = try #require(try fault("linear(5) tanh linear(2)", parameter: ("2.weight", 8, .infinity)))
        #expect(fault.pass == .parameters && fault.layer == "2.linear" && fault.quantity == "2.weight" && fault.column == 1 && fault.input == 3)
        #expect(fault.value == .infinity && fault.sample == nil)
    }

    @Test func aNaNBias() throws {
        let fault = try #require(try fault("sequence(2) gru(3) last linear(1)", parameter: ("1.bias_hh_l0", 4, .nan)))
        #expect(fault.pass == .parameters && fault.layer == "1.gru" && fault.quantity == "1.bias_hh_l0" && fault.column == 4 && fault.input == nil)
    }

    /// A step whose loss of 1e38 and gradient of −2·1e19 · 1e10 are numbers, and whose update is that gradient times 1e10.
    @Test func anUpdateThatOverflows() throws {
        let trainer = try Trainer(Network("linear(1)"), inputs: 2, loss: .meanSquaredError, optimizer: .sgd(learningRate: 1e10), seed: 1)
        #expect(trainer.overflow == nil)
        try trainer.step(inputs: [0, 1e10], targets: [1e19])
        let fault = try #require(trainer.overflow)
        #expect(fault.pass == .update && fault.step == 1 && fault.quantity == "0.weight" && fault.column == 0 && fault.input == 1 && fault.value == .infinity)
        #expect {
            try trainer.step(inputs: [0, 1], targets: [1])
        } throws: {
            guard case FathomError.notFinite(2, let message) = $0 else { return false }
            return message.contains("before the step, 0.linear: 0.weight[0, 1] is inf") && !message.contains("the parameters are as they were")
        }
    }

    /// The squares of a gradient of 2·1e11 · 1e10 overflow, and weights stand still from then on without a step that is not finite.
    @Test func aSecondMomentThatOverflows() throws {
        let trainer = try Trainer(Network("linear(1)"), inputs: 2, loss: .meanSquaredError, optimizer: .adam(learningRate: 0.1), ema: 0.9, seed: 1)
        try trainer.step(inputs: [0, 1], targets: [1])
        #expect(trainer.overflow == nil)
        try trainer.step(inputs: [0, 1e10], targets: [1e11])
        let fault = try #require(trainer.overflow)
        #expect(fault.pass == .update && fault.step == 2 && fault.layer == "0.linear" && fault.quantity == "optimizer.second.0.weight")
        #expect(fault.column == 0 && fault.input == 1 && fault.value == .infinity)
        #expect(fault.description == "update pass, 0.linear: optimizer.second.0.weight[0, 1] is inf")
    }

    @Test func anOverflowInTheForwardPass() throws {
        let fault = try #require(try fault("linear(4, init: normal(1e30)) relu linear(3, init: normal(1e30)) linear(2)"))
        #expect(fault.pass == .forward && fault.layer == "2.linear" && fault.quantity == "output" && fault.inputs.map(\.name) == ["inputs", "weights", "bias"])
        #expect(fault.inputs[0].values.allSatisfy(\.isFinite) && fault.inputs[1].values.allSatisfy { $0.isFinite && $0.magnitude > 1e27 })
    }

    @Test("An overflow at one time step is told with the step", arguments: [1, 3])
    func anOverflowInOneTimeStep(passes: Int) throws {
        // h is multiplied by 1e10 each step: h₀ ≈ 1, h₃ ≈ 1e30, and h₄ overflows.
        let fault = try #require(try fault(
            "sequence(6) rnn(1, relu, bias: false) last linear(1)", inputs: 6, parameter: ("1.weight_hh_l0", 0, 1e10), scale: 1, passes: passes))
        #expect(fault.pass == .forward && fault.layer == "1.rnn" && fault.timeStep == 4 && fault.sample != nil && fault.value == .infinity)
    }

    @Test("The step is told of every cell: the sequence cut before it has no fault, cut behind it the same", arguments: [
        "rnn(3, relu)", "gru(12)", "gru(12, bias: false)", "linear(3) rnn(4, relu) lstm(2)",
    ]) func everyCell(layer: String) throws {
        let rows = Self.rows, features = normals(rows * 12, seed: 3)
        func fault(steps: Int) throws -> Fault? {
            let network = try Network("sequence(\(steps)) \(layer) last linear(1)")
            let cut = (0..<rows).flatMap { features[$0 * 12..<$0 * 12 + 2 * steps] }
            let trainer = try Trainer(network, inputs: 2 * steps, loss: .meanSquaredError, optimizer: .sgd(learningRate: 1e-30), instruments: .none, seed: 5)
            // Gates of a gru overflow only where its states meet the largest of weights. (What an lstm makes of an infinite gate is finite.)
            let tensor = try #require(trainer.live.layout.all.first { $0.name.hasSuffix("weight_hh_l0") }), value: Float = layer.contains("rnn") ? 1e9 : 3e38
            for group in 0..<tensor.groups {
                let weights = tensor.group(group, in: trainer.live.storage.floats(at: 0))
                for row in 0..<weights.rows { for column in 0..<weights.columns { weights[row, column] = value } }
            }
            _ = try? trainer.step(inputs: cut, targets: normals(rows, seed: 4))
            return trainer.lastFault
        }
        let whole = try #require(try fault(steps: 6)), step = try #require(whole.timeStep)
        #expect(whole.pass == .forward && step > 0, "\(whole)")
        #expect(try fault(steps: step)?.pass != .forward)
        let cut = try #require(try fault(steps: step + 1))
        #expect(cut.timeStep == step && cut.sample == whole.sample && cut.column == whole.column && cut.layer == whole.layer, "\(cut), not \(whole)")
    }

    @Test func anOverflowInTheBackwardPass() throws {
        // Forward the large weight meets a small signal; back it meets a large gradient.
        let fault = try #require(try fault(
            "linear(3, init: normal(1e-30)) linear(3, init: normal(1e-10)) linear(3, init: normal(1e25)) linear(3, init: normal(1e15)) linear(1)"))
        #expect(fault.pass == .backward && fault.layer == "2.linear" && fault.quantity == "gradient" && fault.sample != nil, "\(fault)")
    }

    @Test func aBatchNormOfAnInfinity() throws {
        let fault = try #require(try fault("linear(4, init: normal(1e38)) batchnorm relu linear(2)"))
        #expect(fault.pass == .forward && fault.layer == "0.linear" && fault.value.magnitude == .infinity)
    }

    @Test("Of a step that is not finite the layers say what is not, and nothing of an update", arguments: [1, 3], ["none", "zscore(warmup: 2)"])
    func layersOfAFault(passes: Int, clipping: String) throws {
        let trainer = try Trainer(
            Network("linear(4) tanh linear(1)"), inputs: 2, loss: .meanSquaredError, optimizer: .sgd(learningRate: 0.1), clipping: Clipping(clipping), passes: passes)
        #expect(trainer.layers.isEmpty)
        #expect(throws: FathomError.self) { try trainer.step(inputs: [1, 2, 3, .nan, 5, 6], targets: [1, 2, 3]) }
        let layers = trainer.layers
        #expect(layers[0].nonfinite >= 4 && layers[0].activationMean?.isNaN == true && layers[0].activationStd?.isNaN == true, "\(layers)")
        #expect(layers.allSatisfy { $0.weightNorm == nil && $0.updateRatio == nil })
        try trainer.step(inputs: [1, 2, 3, 4, 5, 6], targets: [1, 2, 3])
        #expect(trainer.layers.allSatisfy { $0.nonfinite == 0 && $0.updateRatio.map { $0 > 0 } == true })
    }

    @Test("The sentence names the place and what fed it") func sentence() throws {
        let fault = try #require(try fault("linear(5) tanh linear(2)", input: (row: 7, column: 2, value: .nan)))
        #expect(fault.description == "the data, sample 12 of the batch (row 7 of the data): input[2] is nan")
        let input = Fault.Input(name: "weights", values: [-1, 2.5, .nan])
        #expect(input.description == "weights -1.0 to 2.5 and 1 not finite")
    }
}
