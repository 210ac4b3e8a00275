import CKernels

/// What the kernels run on.
public enum Kernels {
    /// The instruction set in use: "avx512", "avx2", "neon", "baseline" or "reference". It changes no bit of any result.
    public static var instructionSet: String { String(cString: fathom_kernels().pointee.isa) }

    /// Every instruction set that this processor can run, plainest first.
    public static var instructionSets: [String] { (0...).lazy.map { fathom_isa_name($0) }.prefix { $0 != nil }.map { String(cString: $0!) } }

    /// Processors that this process may use.
    public static var threadsAvailable: Int { threadLimit ?? Int(fathom_threads_available()) }

    /// In place of that, while a value is in force: for what takes no number of its own.
    @TaskLocal package static var threadLimit: Int?

    /// - Throws: `FathomError.invalid` where the environment's FATHOM_ISA names a set that cannot run here.
    public static func checkOverride() throws {
        guard !fathom_isa_override_is_valid() else { return }
        throw FathomError.invalid("FATHOM_ISA names no instruction set of this machine; it has \(instructionSets.joined(separator: ", "))")
    }
}

/// Runs the calls in order on at most `threads` threads; the bits do not depend on their number.
func run(_ calls: [Call], threads: Int, _ times: CallTimes? = nil) { run(calls, 0..<calls.count, threads: threads, times) }

/// The threads that the calls pay for. Small calls run again and again are best given no more: `run` looks at all of them each time to find out.
func threadsWorth(_ calls: [Call]) -> Int { calls.withUnsafeBufferPointer { Int(fathom_list_worth($0.baseAddress, $0.count, .max)) } }

/// Runs some of the calls.
func run(_ calls: [Call], _ range: Range<Int>, threads: Int, _ times: CallTimes? = nil) {
    calls.withUnsafeBufferPointer { calls in
        guard let first = calls.baseAddress, !range.isEmpty else { return }
        let calls = UnsafeBufferPointer(start: first + range.lowerBound, count: range.count)
        if let times { return times.run(calls, threads: threads) }
        fathom_run(calls.baseAddress, calls.count, Int32(clamping: threads))
    }
}

/// Makes the rows (or columns, where they are fewer) of a matrix of normal deviates orthonormal, times `gain`.
func orthogonalize(_ m: Panels, gain: Float) throws {
    try Memory.withScratch(byteCount: fathom_orthogonalize_workspace(m.rows, m.columns)) { workspace in
        fathom_orthogonalize(m.data, m.stride, m.rows, m.columns, gain, workspace)
    }
}

/// A permutation of 0 ..< `count`: the order in which an epoch (from 1) visits the rows.
public func shuffledOrder(count: Int, seed: UInt64, epoch: Int) -> [UInt32] {
    [UInt32](unsafeUninitializedCapacity: count) { order, initialized in
        fathom_shuffle(order.baseAddress, count, seed, UInt64(RandomPurpose.shuffle.rawValue) << 56 | UInt64(epoch))
        initialized = count
    }
}
