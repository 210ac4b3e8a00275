import Fathom
import Foundation

extension ReferenceNetwork {
    /// Mean loss over the rows of all steps. `targets[t][r]` is a row of numbers, or one class.
    func loss(_ loss: Loss, inputs: [[Double]], targets: Batch, _ pass: inout Pass) -> Double {
        let part = parts(of: loss.description)[0]
        let rows = zip(outputs(inputs, &pass), targets).flatMap { zip($0, $1).map { rowLoss(part, $0, $1) } }
        return rows.reduce(0, +) / Double(rows.count)
    }
}

private func rowLoss(_ loss: Part, _ y: [Double], _ t: [Double]) -> Double {
    func overOutputs(_ f: (Double, Double) -> Double) -> Double { zip(y, t).reduce(0) { $0 + f($1.0, $1.1) } / Double(y.count) }
    switch loss.name {
    case "cross-entropy":
        let largest = y.max()!, total = largest + log(y.reduce(0) { $0 + exp($1 - largest) })
        let weights = loss.options["weights"].map { parts(of: $0)[0].arguments.map { Double($0)! } } ?? y.map { _ in 1 }
        let losses = y.indices.map { weights[$0] * (total - y[$0]) }, smoothing = loss.number("smoothing", default: 0)
        return (1 - smoothing) * losses[Int(t[0])] + smoothing / Double(y.count) * losses.reduce(0, +)
    case "mse": return overOutputs { ($0 - $1) * ($0 - $1) }
    case "mean-absolute-error": return overOutputs { abs($0 - $1) }
    case "binary-cross-entropy": return overOutputs { max($0, 0) - $0 * $1 + log1p(exp(-abs($0))) }
    case "huber":
        let delta = Double(loss.arguments[0])!
        return overOutputs { abs($0 - $1) <= delta ? ($0 - $1) * ($0 - $1) / 2 : delta * (abs($0 - $1) - delta / 2) }
    default: fatalError("the reference does not know \(loss.name)")
    }
}
