/// Draws that are a function of seed, stream and position alone: Philox 4×32-10 (Salmon et al., "Parallel random numbers: as easy as
/// 1, 2, 3", SC 2011). No libm call enters a draw, so the numbers are the same on every machine.
///
/// The kernels' generator computes the same blocks with a purpose in the top byte of the counter; this one's purpose is 0xFF, which no
/// kernel uses, so that its streams never meet theirs.
public struct CounterRandom: Sendable {
    private let key: SIMD2<UInt32>
    private let stream: UInt64
    private var index: UInt64 = 0
    private var block = SIMD4<UInt32>()

    /// - Precondition: `stream` is below 2⁵⁶.
    public init(seed: UInt64, stream: UInt64) {
        precondition(stream >> 56 == 0, "a stream is below 2^56")
        key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        self.stream = stream | 0xFF << 56
    }

    public mutating func next() -> UInt32 {
        if index % 4 == 0 {
            let (low, high) = (index / 4, stream)
            block = philox(
                SIMD4(UInt32(truncatingIfNeeded: low), UInt32(truncatingIfNeeded: low >> 32),
                      UInt32(truncatingIfNeeded: high), UInt32(truncatingIfNeeded: high >> 32)),
                key: key)
        }
        defer { index += 1 }
        return block[Int(index % 4)]
    }

    /// In [0, 1), a multiple of 2⁻⁵³: two words a draw.
    public mutating func uniform() -> Double {
        let high = UInt64(next()) >> 5, low = UInt64(next()) >> 6
        return Double(high << 26 | low) * 0x1p-53
    }

    /// Standard normal, by Leva's ratio of uniforms ("A fast normal random number generator", ACM TOMS 18, 1992): his quadratic bounds
    /// decide 98.8 % of the draws; the rest compare with the exact border v² = −4u²·ln u, with our own logarithm.
    public mutating func normal() -> Double {
        while true {
            let u = 1 - uniform()  // (0, 1]
            let v = 1.7156 * (uniform() - 0.5)
            let x = u - 0.449871, y = v.magnitude + 0.386595
            let q = x * x + y * (0.19600 * y - 0.25472 * x)
            if q < 0.27597 || (q <= 0.27846 && v * v <= -4 * u * u * naturalLogarithm(u)) { return v / u }
        }
    }

    /// Uniform in 0 ..< bound without bias (Lemire, "Fast random integer generation in an interval", ACM TOMACS 29, 2019).
    /// - Precondition: `bound` is positive.
    public mutating func integer(below bound: UInt32) -> UInt32 {
        precondition(bound > 0)
        while true {
            let product = UInt64(next()) * UInt64(bound)
            if UInt32(truncatingIfNeeded: product) >= (0 &- bound) % bound { return UInt32(product >> 32) }
        }
    }
}

/// One block of Philox 4×32-10.
func philox(_ counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var block = counter, key = key
    for _ in 0 ..< 10 {
        let a = UInt64(block.x) * 0xD251_1F53, b = UInt64(block.z) * 0xCD9E_8D57
        block = SIMD4(UInt32(b >> 32) ^ block.y ^ key.x, UInt32(truncatingIfNeeded: b),
                      UInt32(a >> 32) ^ block.w ^ key.y, UInt32(truncatingIfNeeded: a))
        key = SIMD2(key.x &+ 0x9E37_79B9, key.y &+ 0xBB67_AE85)
    }
    return block
}
