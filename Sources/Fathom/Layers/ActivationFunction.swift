extension Activation {
    /// φ(x) and φ′(x) in float64, for theory: within 1e-15·max(1, |φ|) and 2e-15, by the library's own functions. φ′ at a kink is the
    /// one of its left side (of hardtanh, 0). Training uses the kernels' float32 functions instead.
    public func function(_ x: Double) -> (value: Double, slope: Double) {
        switch self {
        case .identity: return (x, 1)
        case .relu: return x > 0 ? (x, 1) : (x.isNaN ? x : 0, 0)
        case .leakyReLU(let slope): return x > 0 ? (x, 1) : (slope * x, slope)
        case .elu(let alpha): return exponentialUnit(x, scale: 1, alpha: alpha)
        // Constants of Klambauer et al. 2017, equation 14.
        case .selu: return exponentialUnit(x, scale: 1.0507009873554805, alpha: 1.0507009873554805 * 1.6732632423543772)
        case .gelu:
            let below = normalDistribution(x)
            return (x * below, below + x * normalDensity(x))
        case .geluTanh:
            // ½(1 + tanh u) = σ(2u)
            let root = 0.7978845608028654, inner = root * (x + 0.044715 * x * x * x), slope = root * (1 + 0.134145 * x * x)
            let gate = logistic(2 * inner)
            return (x * gate.value, gate.value + 2 * x * slope * gate.value * gate.rest)
        case .silu:
            let gate = logistic(x)
            return (x * gate.value, gate.value + x * gate.value * gate.rest)
        case .tanh:
            let power = exponential(-2 * x.magnitude), less = exponentialMinusOne(-2 * x.magnitude), sum = 1 + power
            return (x < 0 ? less / sum : -less / sum, 4 * power / (sum * sum))
        case .sigmoid:
            let gate = logistic(x)
            return (gate.value, gate.value * gate.rest)
        case .softplus: return (max(x, 0) + logarithmOfOnePlus(exponential(-x.magnitude)), logistic(x).value)
        case .hardTanh: return (min(max(x, -1), 1), x.magnitude < 1 ? 1 : 0)
        }
    }

    /// scale·x where x > 0, else alpha·(eˣ − 1).
    private func exponentialUnit(_ x: Double, scale: Double, alpha: Double) -> (value: Double, slope: Double) {
        guard x <= 0 else { return (scale * x, scale) }
        return (alpha * exponentialMinusOne(x), alpha * exponential(x))
    }
}
