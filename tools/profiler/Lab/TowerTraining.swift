import Fathom
import FathomCommandLine
import FathomFormats
import Foundation

/// Gradient descent on the one weight of a tower, towards an output of 0: w ← w − η·2f·∂f/∂w.
struct TowerTraining {
    let towers: [Tower]
    let depth: Int, steps: Int
    static let rate = 0.1

    /// A step, from 0: the weight before it, f², the gradient there, and float64's weight beside.
    struct Step {
        let weight: Float
        let loss: Double, gradient: Double
        let exactWeight: Double
    }

    func result() throws -> LabResult {
        var result = LabResult(
            "towers of \(depth) layers, w = \(figure(Double(towers[0].weight))), x = \(figure(Double(towers[0].input))), trained by gradient descent on f² with step size "
                + "\(Self.rate)")
        var series: [Chart.Series] = []
        for tower in towers {
            let name = "\(tower.activation)\(tower.gain == 1 ? "" : "(\(tower.gain)·z)")", steps = try train(tower)
            for (i, step) in steps.enumerated() {
                result.rows.append(.init("weight", ["activation": .string(name), "step": .integer(i)], Double(step.weight), .exact(step.exactWeight)))
                result.rows.append(.init("gradient_norm", ["activation": .string(name), "step": .integer(i)], step.gradient))
            }
            result.tables.append(.init(title: "Training \(name)", header: ["step", "w", "w in float64", "loss", "|gradient|"], rows: spread(Array(steps.enumerated()), most: 13).map { i, step in
                [String(i), String(step.weight), figure(step.exactWeight, digits: 9), figure(step.loss), figure(step.gradient)]
            }))
            func moved(_ weight: (Step) -> Double) -> [(Double, Double)] { steps.enumerated().dropFirst().map { (Double($0), (weight($1) - Double(tower.weight)).magnitude) } }
            series += [
                .init("\(name), trained in float32", .points, moved { Double($0.weight) }), .init("\(name), float64", .theory, moved(\.exactWeight)),
            ]
            result.findings.append(finding(name, steps))
        }
        result.charts = [Chart(
            "How far the weight has moved (0 has no place on the axis)", x: Axis("step"), y: Axis("|w − w0|", .logarithmic), series)]
        return result
    }

    /// Until a step would leave the finite numbers.
    func train(_ tower: Tower) throws -> [Step] {
        let trainer = try Trainer(tower.model(depth: depth, trains: true), loss: .meanSquaredError, optimizer: .sgd(learningRate: Self.rate), threads: 1)
        var taken: [Step] = [], exact = Double(tower.weight)
        for _ in 0...steps {
            let weight = try trainer.model.parameters()[0].values[0]
            do {
                let step = try trainer.step(inputs: [tower.input], targets: [0])
                taken.append(Step(weight: weight, loss: step.loss, gradient: step.gradientNorm, exactWeight: exact))
            } catch let error as FathomError {
                guard case .notFinite = error else { throw error }
                taken.append(Step(weight: weight, loss: .infinity, gradient: .infinity, exactWeight: exact))
                break
            }
            let f = tower.float64(depth: depth, weight: exact)[depth - 1]
            exact -= Self.rate * 2 * f.value * f.gradient
        }
        return taken
    }

    private func finding(_ name: String, _ steps: [Step]) -> String {
        guard let first = steps.first, let last = steps.last else { return "" }
        guard first.loss.isFinite else { return "training \(name): float32 has no number for the loss of the first step" }
        if last.weight == first.weight {
            return "training \(name): frozen: after \(steps.count - 1) steps the weight has the same bits, since "
                + (first.gradient == 0 ? "its gradient is 0" : "a change of \(figure(Self.rate * first.gradient)) is lost beside \(figure(Double(first.weight)))")
        }
        if !last.loss.isFinite { return "training \(name): exploding: the first step throws the weight from \(figure(Double(first.weight))) to \(figure(Double(steps[1].weight))); after \(steps.count - 1) steps float32 has no number for the loss" }
        return "training \(name): the weight goes from \(figure(Double(first.weight))) to \(figure(Double(last.weight))), the loss from \(figure(first.loss)) to \(figure(last.loss))"
    }
}
