import Fathom
import Foundation

/// A batch as the reference sees it: `batch[t][r]` is row r at time step t. Rows that are no sequences have one step.
typealias Batch = [[[Double]]]

/// The same networks in float64, written for clarity alone: what the float32 core is held against. Nothing is shared with it but the notation
/// and the names of the tensors.
struct ReferenceNetwork {
    /// By name, row-major.
    var tensors: [String: [Double]]
    private let parts: [Part]
    /// Where each layer stands when all are counted, each before those inside it: what the streams of dropout are numbered by.
    private let ordinals: [String: UInt64]

    /// What a pass depends on beside parameters and inputs, and what it leaves.
    struct Pass {
        /// Batch statistics and dropout; else running statistics and none.
        var training = true
        var seed: UInt64 = 0
        var step: UInt64 = 1
        /// The states behind which `truncate` cuts the gradient. A pass that finds one here goes on from it; else it leaves its own here. So the passes after
        /// a first one, whose parameters differ a little, take these states as constants, and differences know nothing of what lies before them.
        var constants: [String: [[Double]]] = [:]
        /// What each layer gave, by its position, after the activation that follows where it is a linear layer or a normalization; before it, where there is one.
        var signals: [String: Batch] = [:]
        var arguments: [String: (part: Part, z: Batch)] = [:]
        /// ‖s·f(x)‖/‖x‖ of each residual.
        var branches: [String: Double] = [:]
        /// What is added to one number of a layer's signal, there where it is made.
        var nudge: (path: String, step: Int, row: Int, column: Int, by: Double)?
        /// Mean and unbiased variance of the columns that each batchnorm saw.
        var statistics: [String: (mean: [Double], variance: [Double])] = [:]
    }

    init(_ model: Model) throws {
        self.init(model.network.description, Dictionary(uniqueKeysWithValues: try model.safeTensors().tensors.map { ($0.name, $0.values.map(Double.init)) }))
    }

    init(_ notation: String, _ tensors: [String: [Double]]) {
        self.tensors = tensors
        parts = FathomTests.parts(of: notation)
        var ordinals: [String: UInt64] = [:]
        func count(_ parts: [Part], _ prefix: String) {
            for (i, part) in parts.enumerated() {
                ordinals["\(prefix)\(i)"] = UInt64(ordinals.count)
                count(part.inside, "\(prefix)\(i).")
            }
        }
        count(parts, "")
        self.ordinals = ordinals
    }

    func outputs(_ rows: [[Double]], _ pass: inout Pass) -> Batch { apply(parts, "", [rows], &pass) }

    private func apply(_ parts: [Part], _ prefix: String, _ input: Batch, _ pass: inout Pass) -> Batch {
        var batch = input
        for (i, part) in parts.enumerated() {
            let path = "\(prefix)\(i)", before = i > 0 && Self.fusing.contains(parts[i - 1].name) && isActivation(part) ? "\(prefix)\(i - 1)" : nil
            if let before { pass.arguments[before] = (part, batch) }
            batch = apply(part, path, batch, &pass)
            let isFollowed = Self.fusing.contains(part.name) && i + 1 < parts.count && isActivation(parts[i + 1])
            let isRecurrent = ["rnn", "lstm", "gru"].contains(part.name)
            if let layer = before ?? (isFollowed || isRecurrent ? nil : path) { batch = visited(batch, layer, &pass) }
        }
        return batch
    }

    /// Layers whose signal is what the activation behind them makes of it.
    private static let fusing = ["linear", "layernorm", "rmsnorm", "batchnorm"]

    private func visited(_ signal: Batch, _ path: String, _ pass: inout Pass) -> Batch {
        var signal = signal
        if let nudge = pass.nudge, nudge.path == path { signal[nudge.step][nudge.row][nudge.column] += nudge.by }
        pass.signals[path] = signal
        return signal
    }

    private func apply(_ part: Part, _ path: String, _ x: Batch, _ pass: inout Pass) -> Batch {
        func tensor(_ name: String) -> [Double]? { tensors["\(path).\(name)"] }
        func eachRow(_ f: ([Double]) -> [Double]) -> Batch { x.map { $0.map(f) } }
        switch part.name {
        case "linear": return eachRow { affine($0, tensor("weight")!, tensor("bias")) }
        case "layernorm":
            return eachRow { row in
                let mean = row.mean, variance = row.map { ($0 - mean) * ($0 - mean) }.mean, epsilon = part.number("epsilon", default: 1e-5)
                return scaled(row.map { ($0 - mean) / (variance + epsilon).squareRoot() }, tensor("weight"), tensor("bias"))
            }
        case "rmsnorm":
            return eachRow { row in
                let square = row.map { $0 * $0 }.mean, epsilon = part.number("epsilon", default: 1e-6)
                return scaled(row.map { $0 / (square + epsilon).squareRoot() }, tensor("weight"), nil)
            }
        case "batchnorm":
            let (mean, variance) = pass.training ? statistics(x, path, &pass) : (tensor("running_mean")!, tensor("running_var")!)
            let epsilon = part.number("epsilon", default: 1e-5)
            return eachRow { row in
                scaled(row.indices.map { (row[$0] - mean[$0]) / (variance[$0] + epsilon).squareRoot() }, tensor("weight"), tensor("bias"))
            }
        case "dropout": return pass.training ? dropped(x, rate: Double(part.arguments[0])!, ordinals[path]!, pass) : x
        case "residual":
            let branch = apply(part.inside, "\(path).", x, &pass)
            let shortcut = tensor("projection.weight").map { weight in eachRow { affine($0, weight, nil) } } ?? x
            let scale = tensor("scale")?[0] ?? fixedScale(part)
            func size(_ batch: Batch) -> Double { batch.joined().joined().reduce(0) { $0 + $1 * $1 }.squareRoot() }
            pass.branches[path] = abs(scale) * size(branch) / size(shortcut)
            return zip(shortcut, branch).map { zip($0, $1).map { zip($0, $1).map { $0 + scale * $1 } } }
        case "sequence":
            let steps = Int(part.arguments[0])!, columns = x[0][0].count / steps
            return (0..<steps).map { t in x[0].map { Array($0[t * columns..<(t + 1) * columns]) } }
        case "last": return [x.last!]
        case "mean": return [x[0].indices.map { r in x[0][r].indices.map { c in x.map { $0[r][c] }.mean } }]
        case "rnn", "lstm", "gru": return recurrent(part, path, x, &pass)
        default: return eachRow { $0.map { activation(part, $0) } }
        }
    }

    /// `scale:` of a residual; depth counts the residuals that are inside no other.
    private func fixedScale(_ part: Part) -> Double {
        part.options["scale"] == "1/sqrt(depth)" ? 1 / Double(parts.count { $0.name == "residual" }).squareRoot() : part.number("scale", default: 1)
    }

    /// Mean and biased variance of each column over all rows of all steps.
    private func statistics(_ x: Batch, _ path: String, _ pass: inout Pass) -> (mean: [Double], variance: [Double]) {
        let rows = x.flatMap(\.self), count = Double(rows.count)
        let mean = rows[0].indices.map { c in rows.map { $0[c] }.mean }
        let variance = rows[0].indices.map { c in rows.map { ($0[c] - mean[c]) * ($0[c] - mean[c]) }.mean }
        pass.statistics[path] = (mean, count > 1 ? variance.map { $0 * count / (count - 1) } : variance)
        return (mean, variance)
    }

    /// Words are numbered sample by sample, each step of it taking whole panels of 16.
    private func dropped(_ x: Batch, rate: Double, _ ordinal: UInt64, _ pass: Pass) -> Batch {
        let words = UInt64((x[0][0].count + 15) / 16 * 16), threshold = UInt32(rate * 0x1p32)
        return x.enumerated().map { t, rows in
            rows.enumerated().map { r, row in
                row.enumerated().map { c, value in
                    let word = randomWord(UInt64(r * x.count + t) * words + UInt64(c), seed: pass.seed, stream: ordinal << 32 | pass.step, purpose: 3)
                    return word >= threshold ? value / (1 - rate) : 0
                }
            }
        }
    }

    // MARK: Recurrent layers

    private func recurrent(_ part: Part, _ path: String, _ x: Batch, _ pass: inout Pass) -> Batch {
        let width = Int(part.arguments[0])!, cut = part.options["truncate"].map { Int($0)! }
        let zeros = [[Double]](repeating: [Double](repeating: 0, count: width), count: x[0].count)
        var h = zeros, c = zeros, outputs: Batch = []
        for (t, rows) in x.enumerated() {
            if let cut, t > 0, t % cut == 0 {
                h = constant(h, "h of \(path) before step \(t)", &pass)
                c = constant(c, "c of \(path) before step \(t)", &pass)
            }
            for r in rows.indices { (h[r], c[r]) = cell(part, path, rows[r], h[r], c[r]) }
            if let nudge = pass.nudge, nudge.path == path, nudge.step == t { h[nudge.row][nudge.column] += nudge.by }
            outputs.append(h)
        }
        pass.signals[path] = outputs
        return outputs
    }

    private func constant(_ state: [[Double]], _ name: String, _ pass: inout Pass) -> [[Double]] {
        if pass.constants[name] == nil { pass.constants[name] = state }
        return pass.constants[name]!
    }

    /// One step of one row, in PyTorch's order of gates: i, f, g, o of an lstm; r, z, n of a gru.
    private func cell(_ part: Part, _ path: String, _ x: [Double], _ h: [Double], _ c: [Double]) -> (h: [Double], c: [Double]) {
        let input = affine(x, tensors["\(path).weight_ih_l0"]!, tensors["\(path).bias_ih_l0"])
        let hidden = affine(h, tensors["\(path).weight_hh_l0"]!, tensors["\(path).bias_hh_l0"])
        let units = h.indices, n = h.count
        func gate(_ k: Int, _ unit: Int) -> Double { input[k * n + unit] + hidden[k * n + unit] }
        switch part.name {
        case "lstm":
            let next = units.map { sigmoid(gate(1, $0)) * c[$0] + sigmoid(gate(0, $0)) * tanh(gate(2, $0)) }
            return (units.map { sigmoid(gate(3, $0)) * tanh(next[$0]) }, next)
        case "gru":
            return (units.map { unit in
                let z = sigmoid(gate(1, unit)), candidate = tanh(input[2 * n + unit] + sigmoid(gate(0, unit)) * hidden[2 * n + unit])
                return (1 - z) * candidate + z * h[unit]
            }, c)
        default:
            let function = Part(name: part.arguments.count > 1 ? part.arguments[1] : "tanh")
            return (units.map { activation(function, gate(0, $0)) }, c)
        }
    }
}

/// W·x + b, W [outputs, inputs] row-major.
private func affine(_ x: [Double], _ weight: [Double], _ bias: [Double]?) -> [Double] {
    let outputs = weight.count / x.count
    var y = bias ?? [Double](repeating: 0, count: outputs), next = 0
    for o in 0..<outputs {
        var sum = 0.0
        for value in x {
            sum += weight[next] * value
            next += 1
        }
        y[o] += sum
    }
    return y
}

private func scaled(_ x: [Double], _ gain: [Double]?, _ bias: [Double]?) -> [Double] { x.indices.map { x[$0] * (gain?[$0] ?? 1) + (bias?[$0] ?? 0) } }

private func sigmoid(_ z: Double) -> Double { 1 / (1 + exp(-z)) }

func isActivation(_ part: Part) -> Bool {
    ["identity", "relu", "leakyrelu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "softplus", "hardtanh"].contains(part.name)
}

func activation(_ part: Part, _ z: Double) -> Double {
    func argument(default standard: Double) -> Double { part.arguments.first.map { Double($0)! } ?? standard }
    switch part.name {
    case "identity": return z
    case "relu": return max(z, 0)
    case "leakyrelu": return z > 0 ? z : argument(default: 0.01) * z
    case "elu": return z > 0 ? z : argument(default: 1) * expm1(z)
    case "selu": return 1.0507009873554805 * (z > 0 ? z : 1.6732632423543772 * expm1(z))
    case "gelu" where part.arguments == ["tanh"]: return 0.5 * z * (1 + tanh((2 / Double.pi).squareRoot() * (z + 0.044715 * z * z * z)))
    case "gelu": return 0.5 * z * erfc(-z / 2.0.squareRoot())
    case "silu": return z * sigmoid(z)
    case "tanh": return tanh(z)
    case "sigmoid": return sigmoid(z)
    case "softplus": return max(z, 0) + log1p(exp(-abs(z)))
    case "hardtanh": return min(max(z, -1), 1)
    default: fatalError("the reference does not know \(part.name)")
    }
}

extension [Double] {
    fileprivate var mean: Double { reduce(0, +) / Double(count) }
}

/// Word i of a stream of Philox 4×32-10 (Salmon et al. 2011), its counter made as fathom_kernels.h says of fathom_random_arguments.
func randomWord(_ i: UInt64, seed: UInt64, stream: UInt64, purpose: UInt8) -> UInt32 {
    func low(_ x: UInt64) -> UInt32 { UInt32(x & 0xFFFF_FFFF) }
    func high(_ x: UInt64) -> UInt32 { UInt32(x >> 32) }
    var counter = [low(i / 4), high(i / 4), low(stream), high(stream) ^ UInt32(purpose) << 24], key = [low(seed), high(seed)]
    for _ in 0..<10 {
        let first = 0xD251_1F53 * UInt64(counter[0]), third = 0xCD9E_8D57 * UInt64(counter[2])
        counter = [high(third) ^ counter[1] ^ key[0], low(third), high(first) ^ counter[3] ^ key[1], low(first)]
        key = [key[0] &+ 0x9E37_79B9, key[1] &+ 0xBB67_AE85]
    }
    return counter[Int(i % 4)]
}

/// Normal deviates from a seed.
func normals(_ count: Int, seed: UInt64) -> [Float] {
    var random = CounterRandom(seed: seed, stream: 7)
    return (0..<count).map { _ in Float(random.normal()) }
}

extension [Float] {
    /// Cut into rows of `width`, in float64.
    func rows(of width: Int) -> [[Double]] { stride(from: 0, to: count, by: width).map { self[$0..<$0 + width].map(Double.init) } }
}
