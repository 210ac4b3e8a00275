import CKernels

/// A matrix in 16-column panels, 64-byte aligned, for driving kernels; lanes past the last column start as zero.
final class Panels {
    let rows: Int, columns: Int, stride: Int
    let pointer: UnsafeMutablePointer<Float>

    var panels: Int { (columns + 15) / 16 }

    init(_ rows: Int, _ columns: Int, _ value: (Int, Int) -> Float = { _, _ in 0 }) {
        (self.rows, self.columns, stride) = (rows, columns, 16 * rows)
        let count = (columns + 15) / 16 * 16 * rows
        let memory = UnsafeMutableRawPointer.allocate(byteCount: max(4 * count, 64), alignment: 64)
        pointer = memory.bindMemory(to: Float.self, capacity: count)
        pointer.initialize(repeating: 0, count: count)
        for r in 0..<rows { for c in 0..<columns { self[r, c] = value(r, c) } }
    }

    convenience init(_ values: [Float]) { self.init(1, values.count) { values[$1] } }

    deinit { pointer.deallocate() }

    subscript(r: Int, c: Int) -> Float {
        get { pointer[stride * (c / 16) + 16 * r + c % 16] }
        set { pointer[stride * (c / 16) + 16 * r + c % 16] = newValue }
    }

    /// Row-major elements, without padding.
    var values: [Float] { (0..<rows).flatMap { r in (0..<columns).map { self[r, $0] } } }
    /// The stored floats, padding included, as bits.
    var bits: [UInt32] { (0..<16 * panels * rows).map { pointer[$0].bitPattern } }
}

/// Flat memory that stays where it is, for calls to point to.
final class Flat<Element: BitwiseCopyable> {
    let pointer: UnsafeMutablePointer<Element>
    let count: Int

    init(_ values: [Element]) {
        count = values.count
        pointer = .allocate(capacity: max(count, 1))
        pointer.initialize(from: values, count: count)
    }

    deinit { pointer.deallocate() }

    var values: [Element] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
}

func call(_ operation: fathom_operation, _ fill: (inout fathom_arguments) -> Void) -> fathom_call {
    var call = fathom_call()
    call.operation = operation
    fill(&call.arguments)
    return call
}

func run(_ calls: fathom_call..., threads: Int32 = 1) { fathom_run(calls, calls.count, threads) }

/// A deterministic sequence for test inputs (splitmix64).
struct TestGenerator: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

extension Panels {
    /// Uniform in the range, from a seed.
    convenience init(_ rows: Int, _ columns: Int, in range: ClosedRange<Float>, seed: UInt64) {
        var generator = TestGenerator(seed)
        self.init(rows, columns) { _, _ in Float.random(in: range, using: &generator) }
    }
}
