import Fathom
import Foundation

/// The same networks in float64, written for clarity alone: what the float32 core is held against. Nothing is shared with it.
struct ReferenceNetwork {
    /// As in the model: weights [outputs, inputs] row-major, each followed by its bias if it has one.
    var tensors: [[Double]]
    let layers: [String]
    let widths: [Int]
    let biased: [Bool]

    init(_ model: Model) throws {
        tensors = try model.parameters().map { $0.values.map(Double.init) }
        layers = model.network.layers.map(\.description)
        widths = model.summary.map(\.inputs) + [model.outputs]
        biased = model.network.layers.map { !$0.description.contains("bias: false") }
    }

    func outputs(_ x: [Double]) -> [Double] {
        var h = x, next = 0
        for (i, layer) in layers.enumerated() {
            guard layer.hasPrefix("linear") else {
                h = h.map { activation(layer, $0) }
                continue
            }
            let weight = tensors[next], bias = biased[i] ? tensors[next + 1] : [Double](repeating: 0, count: widths[i + 1])
            next += biased[i] ? 2 : 1
            h = (0..<widths[i + 1]).map { o in (0..<widths[i]).reduce(bias[o]) { $0 + weight[o * widths[i] + $1] * h[$1] } }
        }
        return h
    }

    /// Mean loss of a batch, targets as classes (one number each) or values.
    func loss(_ loss: Loss, inputs: [[Double]], targets: [[Double]]) -> Double {
        var sum = 0.0
        for (x, t) in zip(inputs, targets) {
            let y = outputs(x)
            switch loss {
            case .crossEntropy(let smoothing, let weights):
                let w = if case .classes(let numbers)? = weights { numbers } else { [Double](repeating: 1, count: y.count) }
                let largest = y.max()!, normalizer = largest + log(y.reduce(0) { $0 + exp($1 - largest) }), label = Int(t[0])
                let ofClass = y.map { normalizer - $0 }
                sum += (1 - smoothing) * w[label] * ofClass[label] + smoothing / Double(y.count) * zip(w, ofClass).reduce(0) { $0 + $1.0 * $1.1 }
            case .meanAbsoluteError: sum += zip(y, t).reduce(0) { $0 + abs($1.0 - $1.1) } / Double(y.count)
            case .meanSquaredError: sum += zip(y, t).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Double(y.count)
            case .binaryCrossEntropy: sum += zip(y, t).reduce(0) { $0 + max($1.0, 0) - $1.0 * $1.1 + log1p(exp(-abs($1.0))) } / Double(y.count)
            case .huber(let delta):
                sum += zip(y, t).reduce(0) {
                    let d = abs($1.0 - $1.1)
                    return $0 + (d <= delta ? d * d / 2 : delta * (d - delta / 2))
                } / Double(y.count)
            }
        }
        return sum / Double(inputs.count)
    }

    private func activation(_ name: String, _ z: Double) -> Double {
        switch name {
        case "identity": z
        case "relu": max(z, 0)
        case "leakyrelu(0.01)": z > 0 ? z : 0.01 * z
        case "elu": z > 0 ? z : expm1(z)
        case "selu": 1.0507009873554805 * (z > 0 ? z : 1.6732632423543772 * expm1(z))
        case "gelu": 0.5 * z * erfc(-z / 2.0.squareRoot())
        case "gelu(tanh)": 0.5 * z * (1 + tanh((2 / Double.pi).squareRoot() * (z + 0.044715 * z * z * z)))
        case "silu": z / (1 + exp(-z))
        case "tanh": tanh(z)
        case "sigmoid": 1 / (1 + exp(-z))
        case "softplus": max(z, 0) + log1p(exp(-abs(z)))
        case "hardtanh": min(max(z, -1), 1)
        default: fatalError("the reference does not know \(name)")
        }
    }
}

/// Normal deviates from a seed.
func normals(_ count: Int, seed: UInt64) -> [Float] {
    var random = CounterRandom(seed: seed, stream: 7)
    return (0..<count).map { _ in Float(random.normal()) }
}
