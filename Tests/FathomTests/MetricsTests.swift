import Foundation
import Testing
@testable import Fathom

private func tally(_ answers: [Float], _ targets: Samples.Targets, loss: Loss = .crossEntropy, outputs: Int, top: Int = 5) -> Evaluation {
    var tally = EvaluationTally(targets, loss: loss, outputs: outputs, top: top)
    // In two batches, as an evaluation of more rows than one takes.
    let rows = answers.count / outputs, first = rows / 2
    tally.add(Array(answers[..<(first * outputs)]), firstRow: 0)
    tally.add(Array(answers[(first * outputs)...]), firstRow: first)
    return tally.evaluation(loss: 0)
}

/// Logits whose largest is the prediction.
private func logits(_ predictions: [Int], classes: Int) -> [Float] {
    predictions.flatMap { prediction in (0..<classes).map { $0 == prediction ? 2 : Float($0) / Float(classes) } }
}

@Suite("Metrics of classes") struct ClassificationScoresTests {
    @Test("A small example, by hand")
    func example() throws {
        let scores = try #require(tally(logits([0, 0, 2, 2, 0, 2], classes: 3), .classes([2, 0, 2, 2, 0, 1]), outputs: 3).classification)
        let confusion = try #require(scores.confusion)
        #expect((0..<3).map { target in (0..<3).map { confusion[target, $0] } } == [[2, 0, 0], [0, 0, 1], [1, 0, 2]])
        #expect(scores.rows == 6 && scores.right == 4 && scores.accuracy == 4.0 / 6 && scores.top == nil)
        #expect(scores.classes.map(\.support) == [2, 1, 3] && scores.classes.map(\.precision) == [2.0 / 3, 0, 2.0 / 3])
        #expect(scores.classes.map(\.recall) == [1, 0, 2.0 / 3] && scores.classes.map(\.f1) == [4.0 / 5, 0, 4.0 / 6])
        #expect(scores.macroF1 == (4.0 / 5 + 4.0 / 6) / 3)
    }

    @Test("A class that neither comes nor is predicted has F1 0 and no part in the mean; one that only one of both does has F1 0 and takes part")
    func absent() throws {
        // Class 1 is never predicted, class 2 never comes, class 3 does neither.
        let scores = try #require(tally(logits([0, 0, 2], classes: 4), .classes([0, 1, 0]), outputs: 4).classification)
        #expect(scores.classes.map(\.f1) == [0.5, 0, 0, 0] && scores.macroF1 == 0.5 / 3)
        #expect(scores.classes[1].precision == 0 && scores.classes[2].recall == 0)
    }

    @Test("Of equal outputs the first is largest, NaN is largest of all: top-1 is what argmax says")
    func order() throws {
        let rows: [[Float]] = [[1, 1, 0], [0, 1, 1], [.nan, 5, 6], [.nan, 0, .nan], [-.infinity, -.infinity, -.infinity], [0, .infinity, .nan]]
        let order = [[0, 1, 2], [1, 2, 0], [0, 2, 1], [0, 2, 1], [0, 1, 2], [2, 1, 0]]
        for (row, places) in zip(rows, order) {
            for (place, target) in places.enumerated() {
                for k in 1...2 {
                    let scores = try #require(tally(row, .classes([Int32(target)]), outputs: 3, top: k).classification)
                    #expect(scores.topAccuracy == (place < k ? 1 : 0) && scores.confusion?[target, places[0]] == 1, "\(row) \(target)")
                }
            }
        }
    }

    @Test("Accuracy, top-k, precision, recall and F1 are what sorting and counting say, on random outputs with ties")
    func definition() throws {
        var random = CounterRandom(seed: 4, stream: 0)
        let rows = 500, classes = 7
        let answers = (0..<rows * classes).map { _ in Float(random.integer(below: 12)) }, targets = (0..<rows).map { _ in Int(random.integer(below: 6)) }
        let sorted = (0..<rows).map { row in
            (0..<classes).sorted { (-answers[row * classes + $0], $0) < (-answers[row * classes + $1], $1) }
        }
        for k in 1..<classes {
            let scores = try #require(tally(answers, .classes(targets.map(Int32.init)), outputs: classes, top: k).classification)
            let within = (0..<rows).count { sorted[$0].prefix(k).contains(targets[$0]) }
            #expect(scores.topAccuracy == Double(within) / Double(rows))
            if k == 1 { #expect(scores.accuracy == scores.topAccuracy) }
            var sum = 0.0
            for label in 0..<classes {
                let both = Double((0..<rows).count { targets[$0] == label && sorted[$0][0] == label })
                let predicted = Double(sorted.count { $0[0] == label }), support = Double(targets.count { $0 == label })
                let precision = both / predicted, recall = support > 0 ? both / support : 0
                let f1 = both > 0 ? 2 / (1 / precision + 1 / recall) : 0
                #expect(scores.classes[label].precision == precision && scores.classes[label].recall == recall)
                // The two forms of the harmonic mean differ by a few roundings of 1.1e-16.
                #expect(abs(scores.classes[label].f1 - f1) < 1e-15)
                sum += f1
            }
            #expect(abs(scores.macroF1 - sum / Double(classes)) < 1e-15)
        }
    }

    @Test("Every step counts where each has a class")
    func steps() throws {
        let answers = logits([0, 1, 1, 1, 0, 1], classes: 2)
        let scores = try #require(tally(answers, .stepClasses([0, 1, 0, 1, 1, 1], steps: 3), outputs: 2).classification)
        #expect(scores.rows == 6 && scores.accuracy == 4.0 / 6 && scores.confusion?[0, 1] == 1 && scores.confusion?[1, 0] == 1)
    }

    @Test("One binary output tells two classes apart; of several, a row is right where all are")
    func binary() throws {
        let one = try #require(tally([-1, 2, 0, 3], .values([0, 1, 1, 0], width: 1), loss: .binaryCrossEntropy, outputs: 1).classification)
        #expect(!one.isMultilabel && one.accuracy == 0.5 && one.confusion?[1, 0] == 1 && one.confusion?[0, 1] == 1 && one.top == nil)
        #expect(one.macroF1 == 0.5 && one.classes.map(\.support) == [2, 2])
        let two = try #require(tally([1, 1, 1, -1, -1, -1], .values([1, 1, 0, 0, 1, 0], width: 2), loss: .binaryCrossEntropy, outputs: 2).classification)
        #expect(two.isMultilabel && two.accuracy == 1.0 / 3 && two.confusion == nil && two.rows == 3)
        #expect(two.classes.map(\.f1) == [0.5, 1] && two.macroF1 == 0.75)
    }

    @Test("Of more than 1,000 classes there is no confusion matrix, but all else")
    func many() throws {
        let scores = try #require(tally(logits([1, 1000], classes: 1001), .classes([1, 5]), outputs: 1001).classification)
        #expect(scores.confusion == nil && scores.accuracy == 0.5 && scores.classes[5].support == 1 && scores.top?.k == 5)
        #expect(try #require(tally(logits([1], classes: 1000), .classes([1]), outputs: 1000).classification).confusion != nil)
    }
}

@Suite("Metrics of numbers") struct RegressionScoresTests {
    private func scores(_ predictions: [Float], _ targets: [Float], outputs: Int = 1) throws -> RegressionScores {
        try #require(tally(predictions, .values(targets, width: outputs), loss: .meanSquaredError, outputs: outputs).regression)
    }

    @Test("A small example, by hand")
    func example() throws {
        // Errors ½, ½, 0, 1; the targets' mean is 2.875, their squared distances from it sum to 29.1875.
        let result = try scores([2.5, 0, 2, 8], [3, -0.5, 2, 7])
        #expect(result.rmse == 0.375.squareRoot() && result.mae == 0.5 && result.rows == 4)
        #expect(abs(try #require(result.r2) - (1 - 1.5 / 29.1875)) < 1e-15)
    }

    @Test("Several outputs: each by itself, R² their mean, the errors over all alike")
    func several() throws {
        let result = try scores([0, 2, -1, 2, 8, -5], [0.5, 1, -1, 1, 7, -6], outputs: 2)
        let squares = [1.25 / 3, 1.0]
        #expect(result.outputs.map(\.mae) == [0.5, 1] && result.outputs.map(\.mse) == squares && result.mae == 0.75)
        #expect(result.rmse == ((squares[0] + squares[1]) / 2).squareRoot())
        // Spreads: 0.25 + 1 + 49 − 3·(13/6)², 1 + 1 + 36 − 3·(4/3)².
        let first = 1 - 1.25 / (50.25 - 169.0 / 12), second = 1 - 3 / (38 - 16.0 / 3), r2 = try result.outputs.map { try #require($0.r2) }
        #expect(abs(r2[0] - first) < 1e-14 && abs(r2[1] - second) < 1e-14)
        #expect(abs(try #require(result.r2) - (first + second) / 2) < 1e-14)
    }

    @Test("A constant target has no R², whatever its value, and takes no part in the mean", arguments: [0.1, -3e38, 0, .leastNonzeroMagnitude] as [Float])
    func constant(value: Float) throws {
        #expect(try scores((0..<1000).map(Float.init), Array(repeating: value, count: 1000)).r2 == nil)
        let both = try scores([0, 1, 0, 2], [value, 1, value, 3], outputs: 2)
        #expect(both.outputs[0].r2 == nil && both.r2 == both.outputs[1].r2 && both.r2 == 0.5)
    }

    @Test("Targets far from zero lose nothing; a prediction that is not finite shows")
    func extremes() throws {
        let far = try scores([1e7, 1e7 + 2, 1e7 + 2], [1e7, 1e7 + 1, 1e7 + 2])
        #expect(far.r2 == 0.5 && far.mae == 1.0 / 3)
        let broken = try scores([.nan, 1], [0, 1])
        #expect(broken.rmse.isNaN && broken.r2?.isNaN == true)
    }

    @Test("Predicting the mean explains nothing")
    func mean() throws { #expect(try scores([2, 2, 2], [1, 2, 3]).r2 == 0) }
}

@Suite("Evaluations") struct EvaluationTests {
    @Test("Metrics are of what predict answers, in the targets' own units, over more rows than a batch, on any number of threads")
    func regression() throws {
        var model = try Model(Network("linear(9) tanh linear(2)"), inputs: 3, seed: 1)
        model.details.targetStandardization = try Standardization(mean: [100, -5], deviation: [20, 0.5])
        var random = CounterRandom(seed: 2, stream: 0)
        let rows = 1300, x = (0..<rows * 3).map { _ in Float(random.normal()) }, y = (0..<rows * 2).map { Float(random.normal()) + ($0 % 2 == 0 ? 100 : -5) }
        let samples = try Samples(columns: 3, features: .floats(x), targets: .values(y, width: 2))
        let evaluation = try model.evaluate(samples, loss: .meanSquaredError, threads: 1), scores = try #require(evaluation.regression)
        let predicted = try model.predict(samples)
        for output in 0..<2 {
            let errors = (0..<rows).map { Double(predicted[2 * $0 + output]) - Double(y[2 * $0 + output]) }
            // The same additions in the same order.
            #expect(scores.outputs[output].mse == errors.reduce(0) { $0 + $1 * $1 } / Double(rows))
        }
        // The loss comes from float32 kernels in standardized units: a hundred roundings of 6e-8.
        #expect(abs(scores.rmse * scores.rmse - evaluation.loss) < 6e-6 * evaluation.loss && evaluation.accuracy == nil)
        #expect(try model.evaluate(samples, loss: .meanSquaredError, threads: 3) == evaluation)
    }

    @Test("A class for each step: the loss is the cross-entropy of every step's own class, in training and evaluation, whatever the order")
    func steps() throws {
        let rows = 600, steps = 5, classes = 7
        var random = CounterRandom(seed: 8, stream: 0)
        let x = (0..<rows * steps * 3).map { _ in Float(random.normal()) }, targets = (0..<rows * steps).map { _ in Int32(random.integer(below: 7)) }
        let samples = try Samples(columns: steps * 3, features: .floats(x), targets: .stepClasses(targets, steps: steps))
        let model = try Model(Network("sequence(5) rnn(6, tanh) linear(7)"), inputs: steps * 3, outputs: classes, seed: 2)
        let logits = try model.predict(samples).map(Double.init)
        var losses: [Double] = []
        for place in 0..<rows * steps {
            let row = logits[place * classes..<(place + 1) * classes]
            losses.append(log(row.reduce(0) { $0 + exp($1) }) - row[row.startIndex + Int(targets[place])])
        }
        let expected = losses.reduce(0, +) / Double(rows * steps), evaluation = try model.evaluate(samples, loss: .crossEntropy, threads: 1)
        // Row losses of float32 kernels: a few units of 6e-8 each.
        #expect(abs(evaluation.loss - expected) < 1e-6 && evaluation.classification?.rows == rows * steps)
        #expect(try model.evaluate(samples, loss: .crossEntropy, threads: 3) == evaluation)
        #expect(try evaluation.classification?.right == zip(model.predictClasses(samples), targets).count { $0 == Int($1) })

        let trainer = try Trainer(model, loss: .crossEntropy, optimizer: .sgd(learningRate: 1))
        trainer.learningRate = 0
        #expect(abs(try trainer.step(inputs: x, classes: targets).loss - expected) < 1e-6)
        let chosen: [UInt32] = [599, 3, 3, 77, 0, 512]
        try trainer.check(samples)
        let few = chosen.dropFirst().flatMap { row in losses[Int(row) * steps..<(Int(row) + 1) * steps] }
        #expect(abs(try trainer.step(samples, order: chosen, first: 1, rows: 5).loss - few.reduce(0, +) / 25) < 1e-6)
        #expect(throws: FathomError.self) { try trainer.step(inputs: x, classes: Array(targets.dropLast())) }
    }

    @Test("Classes are those of predictClasses")
    func classes() throws {
        let model = try Model(Network("linear(20)"), inputs: 4, seed: 3)
        var random = CounterRandom(seed: 3, stream: 0)
        let rows = 1000, x = (0..<rows * 4).map { _ in Float(random.normal()) }, classes = (0..<rows).map { _ in Int32(random.integer(below: 20)) }
        let samples = try Samples(columns: 4, features: .floats(x), targets: .classes(classes))
        let scores = try #require(model.evaluate(samples, loss: .crossEntropy, top: 3).classification), predicted = try model.predictClasses(samples)
        #expect(scores.right == zip(predicted, classes).count { $0 == Int($1) } && scores.rows == rows && scores.top?.k == 3)
        #expect((0..<20).allSatisfy { label in scores.classes[label].predicted == predicted.count { $0 == label } })
        #expect(throws: FathomError.invalid("top-0 accuracy; k must be at least 1")) { try model.evaluate(samples, loss: .crossEntropy, top: 0) }
    }
}
