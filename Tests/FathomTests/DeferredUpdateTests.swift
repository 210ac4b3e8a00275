@testable import Fathom
import CKernels
import Testing

/// An update that waits for the next step leaves the bits of one that is made at once, whoever asks for them and when.
@Suite struct DeferredUpdateTests {
    static let network = "linear(70) relu residual(rezero)[layernorm linear(40) gelu linear(70)] [linear(50) batchnorm tanh] * 2 linear(5)"

    private static func trainer(
        deferring: Bool, _ network: String = network, inputs: Int = 37, optimizer: Optimizer = .adamW(learningRate: 0.01, decay: 0.1),
        clipping: String = "norm(0.5)", recompute: Recompute = .none, instruments: Trainer.Instruments = .summary, threads: Int = 2
    ) throws -> Trainer {
        try DeferredUpdate.$least.withValue(deferring ? 1 : .max) {
            let trainer = try Trainer(
                Network(network), inputs: inputs, loss: .crossEntropy, optimizer: optimizer, clipping: Clipping(clipping), recompute: recompute, instruments: instruments, seed: 9,
                threads: threads)
            #expect((trainer.deferred != nil) == deferring)
            return trainer
        }
    }

    /// Batches of two sizes, in turn.
    private static func step(_ trainer: Trainer, _ samples: Samples, _ i: Int) throws -> Trainer.Step {
        trainer.learningRate = 0.01 / Double(i + 1)
        return try trainer.step(samples, order: shuffledOrder(count: 60, seed: 1, epoch: i), first: 0, rows: 60 - i % 2)
    }

    private static let samples = Result { try TrainerTests.samples(60, columns: 37, classes: 5) }

    @Test(arguments: [
        Optimizer.adamW(learningRate: 0.01, decay: 0.1), .sgd(learningRate: 0.01, momentum: 0.9), .sgd(learningRate: 0.01), .lion(learningRate: 0.01),
        .rmsProp(learningRate: 0.01),
    ], ["norm(0.5)", "value(0.01)", "none", "adaptive(0.01) norm(1)"])
    func itsBitsAreThoseOfAnUpdateAtOnce(optimizer: Optimizer, clipping: String) throws {
        let samples = try Self.samples.get()
        let results = try [(false, 1), (true, 1), (true, 3)].map { deferring, threads in
            let trainer = try Self.trainer(deferring: deferring, optimizer: optimizer, clipping: clipping, threads: threads)
            let steps = try (0..<7).map { try Self.step(trainer, samples, $0) }
            #expect(trainer.isUpdateWaiting == deferring)
            return (steps: steps, checkpoint: try trainer.checkpoint().tensors.map(\.values), layers: trainer.layers)
        }
        for result in results.dropFirst() {
            #expect(result.steps == results[0].steps)
            #expect(result.checkpoint == results[0].checkpoint)
            #expect(result.layers == results[0].layers)
        }
    }

    @Test(arguments: [
        (network, 37, Recompute.none), (network, 37, .sqrt), ("layernorm linear(30) relu [linear(30) relu] * 3 dropout(0.2) linear(5)", 37, .none),
        ("sequence(6) lstm(9) layernorm rnn(8, tanh) last linear(5)", 36, .none), ("residual[residual[linear(37)] relu linear(37)] linear(5)", 37, .none),
        ("linear(30) residual[linear(50) relu linear(20)] residual[relu linear(60)] linear(5)", 37, .none),
    ])
    func everyNetworkReadsItsNewWeights(network: String, inputs: Int, recompute: Recompute) throws {
        let samples = try TrainerTests.samples(60, columns: inputs, classes: 5)
        let models = try [false, true].map { deferring in
            let trainer = try Self.trainer(deferring: deferring, network, inputs: inputs, recompute: recompute, instruments: .none)
            for i in 0..<5 { _ = try Self.step(trainer, samples, i) }
            return try trainer.model.parameters().map(\.values)
        }
        #expect(models[0] == models[1])
    }

    /// Of what is asked for between two steps nothing is that of the step before, and what is told before the update is complete after it.
    @Test func whoAsksGetsTheLastStep() throws {
        let samples = try Self.samples.get(), atOnce = try Self.trainer(deferring: false), deferred = try Self.trainer(deferring: true)
        var before: [LayerStatistics]?
        for i in 0..<8 {
            _ = try Self.step(deferred, samples, i)
            if let before { #expect(deferred.withChanges(before) == atOnce.layers) }
            _ = try Self.step(atOnce, samples, i)
            before = nil
            switch i {
            case 1: #expect(deferred.layers == atOnce.layers)
            case 2: #expect(try deferred.model.parameters().map(\.values) == atOnce.model.parameters().map(\.values))
            case 3: #expect(try deferred.evaluate(samples) == atOnce.evaluate(samples))
            case 4: #expect(try deferred.modelFile().tensors.map { try Array($0.values()) } == atOnce.modelFile().tensors.map { try Array($0.values()) })
            case 5: #expect(deferred.overflow == atOnce.overflow && !deferred.isUpdateWaiting)
            default:
                before = deferred.layersBeforeUpdate
                #expect(deferred.isUpdateWaiting && before!.allSatisfy { $0.weightNorm == nil && $0.updateRatio == nil && $0.activationStd != nil })
            }
        }
        #expect(deferred.withChanges(before!) != atOnce.layers && deferred.layers == atOnce.layers && deferred.withChanges(before!) == atOnce.layers)
    }

    /// The step that is not finite changes nothing but makes the update that waited; after it none waits.
    @Test func aStepThatIsNotFiniteMakesTheLastUpdate() throws {
        let samples = try Self.samples.get()
        var sick = [Float](repeating: 1, count: 37)
        sick[5] = .nan
        let results = try [false, true].map { deferring in
            let trainer = try Self.trainer(deferring: deferring)
            _ = try Self.step(trainer, samples, 0)
            let before = trainer.layersBeforeUpdate
            let error = #expect(throws: FathomError.self) { try trainer.step(inputs: sick, classes: [0]) }
            #expect(!trainer.isUpdateWaiting)
            let told = trainer.withChanges(before), fault = trainer.lastFault.map { "\($0)" }, parameters = try trainer.model.parameters().map(\.values)
            _ = try Self.step(trainer, samples, 1)
            return (error: "\(error!)", told: told, fault: fault, parameters: parameters, after: try trainer.model.parameters().map(\.values))
        }
        #expect(results[0].error == results[1].error && results[0].told == results[1].told && results[0].fault == results[1].fault && results[0].fault != nil)
        #expect(results[0].parameters == results[1].parameters && results[0].after == results[1].after)
    }

    @Test func aCheckpointReplacesWhatWaits() throws {
        let samples = try Self.samples.get(), other = try Self.trainer(deferring: false), trainer = try Self.trainer(deferring: true)
        _ = try Self.step(other, samples, 0)
        for i in 0..<3 { _ = try Self.step(trainer, samples, i) }
        try trainer.restore(other.checkpoint(), name: "checkpoint")
        for trainer in [other, trainer] { _ = try Self.step(trainer, samples, 1) }
        #expect(try trainer.checkpoint().tensors.map(\.values) == other.checkpoint().tensors.map(\.values))
    }

    /// Each tensor is updated once, in a group before the first that reads it, and no chain of a recurrent layer is broken.
    @Test(arguments: [
        (network, 37), ("linear(30) residual[linear(50) relu linear(20)] residual[relu linear(60)] linear(5)", 37), ("linear(300) linear(4) relu linear(5)", 37),
        ("sequence(6) lstm(9) layernorm rnn(8, tanh) gru(7) last linear(5)", 36),
    ])
    func updatesEndBeforeTheyAreRead(network: String, inputs: Int) throws {
        let trainer = try Self.trainer(deferring: true, network, inputs: inputs)
        _ = try trainer.step(TrainerTests.samples(60, columns: inputs, classes: 5), order: Array(0..<60), first: 0, rows: 60)
        let calls = trainer.runner.plans[0].plan.calls, parameters = trainer.live.storage.floats(at: 0), layout = trainer.live.layout
        var group = 0, updated: [Int: Int] = [:]  // by row of 16 parameters
        for (i, call) in calls.enumerated() {
            var read: UnsafePointer<Float>?
            switch call.operation {
            case FATHOM_ADAM:
                let pass = call.arguments.optimizer, base = (pass.p - parameters) / 16
                var segment = pass.segments!
                while true {
                    for row in 0..<segment.pointee.row_end - segment.pointee.row_begin { #expect(updated.updateValue(group, forKey: base + segment.pointee.first + row) == nil) }
                    if 16 * segment.pointee.row_end >= pass.count { break }
                    segment += 1
                }
                #expect(!calls[i + 1].by_rows)
            case FATHOM_GEMM_FORWARD: read = call.arguments.gemm_forward.inputs > 0 ? call.arguments.gemm_forward.w : nil
            case FATHOM_GEMM_DGRAD: read = call.arguments.gemm_dgrad.w
            case FATHOM_TRANSPOSE: read = UnsafePointer(call.arguments.transpose.m)
            case FATHOM_LAYERNORM_FORWARD: read = call.arguments.layernorm_forward.gain
            default: break
            }
            // Wᵀ, made once for many products, is no parameter.
            if let row = read.map({ ($0 - UnsafePointer(parameters)) / 16 }), (0..<layout.count / 16).contains(row) { #expect((updated[row] ?? .max) < group) }
            if !call.overlaps { group += 1 }
        }
        #expect(updated.count == layout.count / 16)
    }

    /// A network's own size decides, and whether anything but its steps looks at the parameters.
    @Test func largeNetworksDefer() throws {
        func defers(_ width: Int, passes: Int = 1, ema: Double? = nil, instruments: Trainer.Instruments = .summary) throws -> Bool {
            let layout = try ParameterLayout(Network("linear(\(width)) linear(1000)"), inputs: 500)
            return DeferredUpdate.isWorth(layout, passes: passes, ema: ema, instruments: instruments)
        }
        #expect(try defers(1008) && !defers(992) && defers(1008, instruments: .none))
        #expect(try !defers(1008, passes: 2) && !defers(1008, ema: 0.9) && !defers(1008, instruments: .full))
    }
}
