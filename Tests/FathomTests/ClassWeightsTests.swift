import Fathom
import Testing

@Suite("Class weights")
struct ClassWeightsTests {
    private func message(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return "no error"
    }

    @Test("balanced weighs a class by n/(k·n_c), as float32 has it") func balanced() throws {
        let loss = Loss.crossEntropy(smoothing: 0.1, weights: .balanced)
        #expect(try loss.resolved(targets: [0, 1, 1, 0, 2, 0], classes: ["a", "b", "c"]) == .crossEntropy(smoothing: 0.1, weights: .classes([0.6666667, 1, 2])))
        #expect(try Loss.meanSquaredError.resolved(targets: [], classes: []) == .meanSquaredError)
        #expect(message { _ = try loss.resolved(targets: [0, 2], classes: ["a", "b", "c"]) }
            == "weights: balanced needs training rows of every class, and of 'b' there are none; weights: classes(…) takes numbers")
        #expect(message { _ = try Loss("cross-entropy(weights: classes(1, 2))").resolved(targets: [0], classes: ["a", "b", "c"]) }
            == "cross-entropy has 2 class weights, and there are 3 classes; give one for each, in order")
    }

    @Test("a trainer and an evaluation want one number for each output") func counts() throws {
        let network = try Network("linear(3)")
        func trained(_ weights: ClassWeights) -> String {
            message { _ = try Trainer(network, inputs: 2, loss: .crossEntropy(weights: weights), optimizer: .sgd(learningRate: 0.1)) }
        }
        #expect(trained(.classes([1, 2])) == "cross-entropy has 2 class weights, and there are 3 classes; give one for each, in order")
        #expect(trained(.balanced) == "weights: balanced depends on the training rows; Loss.resolved(targets:classes:) makes numbers of it")
        #expect(trained(.classes([])).hasPrefix("classes without its weights"))
        #expect(trained(.classes([1, 2, .infinity])).contains("weight 3 'inf' of classes"))
        let samples = try Samples(columns: 2, features: .floats([1, 2]), targets: .classes([0]))
        #expect(message { _ = try Model(network, inputs: 2).evaluate(samples, loss: .crossEntropy(weights: .classes([1]))) }
            == "cross-entropy has 1 class weights, and there are 3 classes; give one for each, in order")
    }

    @Test("a weighted loss is a mean over rows, so that micro-batches add up") func mean() throws {
        let model = try Model(Network("linear(3)"), inputs: 2, seed: 4), x = normals(8, seed: 1)
        let loss = Loss.crossEntropy(smoothing: 0.25, weights: .classes([0.5, 4, 1]))
        func step(_ rows: Range<Int>) throws -> Double {
            let trainer = try Trainer(model, loss: loss, optimizer: .sgd(learningRate: 0.1))
            return try trainer.step(inputs: Array(x[2 * rows.lowerBound..<2 * rows.upperBound]), classes: Array([0, 1, 1, 2][rows])).loss
        }
        let whole = try step(0..<4), parts = try (0..<4).map { try step($0..<$0 + 1) }
        // Four float64 numbers and a division: a few roundings of 1.1e-16.
        #expect(abs(parts.reduce(0, +) / 4 - whole) <= 1e-15 * whole)
        let evaluated = try model.evaluate(Samples(columns: 2, features: .floats(x), targets: .classes([0, 1, 1, 2])), loss: loss)
        #expect(evaluated.loss == whole && evaluated.accuracy != nil)
    }
}
