import CKernels

// Calls that gather what instruments tell. Sums and blocks are in CKernels/include/fathom_kernels.h.

/// Where the backward pass leaves what it tells of a signal, of some rows of each panel.
typealias SignalBlocks = fathom_signal_blocks
typealias SignalSums = fathom_signal_statistics
typealias SignalSource = fathom_signal_source
typealias ChangeSource = fathom_change_source

extension SignalBlocks {
    /// Of a signal of `rows` rows; of a sequence that is gone back through step by step, the blocks of a step are its own, and of 16 rows, at multiples of which threads divide it.
    init(rows: Int, columns: Int, byStep steps: Int?, in pool: inout BufferPool) {
        let low = (steps ?? 1) * Panels.panels(rows / (steps ?? 1)), count = Panels.panels(columns) * low, height = Int(FATHOM_SIGNAL_ROWS)
        self.init(
            sums: pool.reserve(Double.self, count: FATHOM_SIGNAL_SUMS * count), counts: pool.reserve(UInt16.self, count: FATHOM_SIGNAL_COUNTS * count),
            rows: steps == nil ? height : Panels.width, stride: steps == nil ? (rows + height - 1) / height : low)
    }

    /// The same memory as blocks of 16 rows, for a call that is divided by rows alone.
    func low(rows: Int) -> SignalBlocks { SignalBlocks(sums: sums, counts: counts, rows: Panels.width, stride: Panels.panels(rows)) }

    /// Those of one of `steps` steps.
    func step(_ step: Int, of steps: Int) -> SignalBlocks {
        let first = step * (stride / steps)
        return SignalBlocks(sums: sums + FATHOM_SIGNAL_SUMS * first, counts: counts + FATHOM_SIGNAL_COUNTS * first, rows: rows, stride: stride)
    }
}

extension SignalSource {
    init(
        columns: Int, moments: UnsafePointer<Double>?, blocks: SignalBlocks?, accumulate: Bool, alive: UnsafeMutablePointer<UInt32>,
        total: UnsafeMutablePointer<SignalSums>
    ) {
        self.init(
            panels: Panels.panels(columns), columns: columns, moments: moments, blocks: blocks ?? SignalBlocks(),
            accumulate: accumulate, alive: alive, total: total)
    }
}

extension Call {
    /// Sum, sum of squares and number of what is not finite, of each panel.
    static func moments(_ y: Panels, sums: UnsafeMutablePointer<Double>) -> Call {
        Call(FATHOM_MOMENTS) { $0.moments = fathom_moments_arguments(rows: y.rows, columns: y.columns, y: y.data, y_stride: y.stride, sums: sums) }
    }

    /// Where this call leaves the moments of a signal, if they are all that it is for.
    var moments: UnsafeMutablePointer<Double>? { operation == FATHOM_MOMENTS ? arguments.moments.sums : nil }

    /// The same, if they are those of `values`.
    func moments(of values: Panels) -> UnsafeMutablePointer<Double>? {
        let m = arguments.moments
        return m.y == UnsafePointer(values.data) && m.rows == values.rows && m.columns == values.columns ? moments : nil
    }

    static func signalTotals(_ sources: UnsafePointer<SignalSource>, count: Int) -> Call {
        Call(FATHOM_SIGNAL_TOTAL) { $0.signal_total = fathom_signal_total_arguments(signals: count, sources: sources) }
    }

    /// {Σ p², Σ Δp²} of blocks that the optimizer's passes have left.
    static func changeTotals(_ sources: UnsafePointer<ChangeSource>, count: Int) -> Call {
        Call(FATHOM_CHANGE_TOTAL) { $0.change_total = fathom_change_total_arguments(tensors: count, sources: sources) }
    }

    /// How many elements have which exponent, panel by panel.
    static func exponents(_ m: Panels, accumulate: Bool, counts: UnsafeMutablePointer<UInt32>) -> Call {
        Call(FATHOM_EXPONENTS) {
            $0.exponents = fathom_exponents_arguments(
                rows: m.rows, columns: m.columns, m: m.data, m_stride: m.stride, accumulate: accumulate, counts: counts)
        }
    }

    /// Gathers what there is to tell of a gradient that no activation is in the way of.
    static func signalGradient(_ dy: Panels, blocks: SignalBlocks) -> Call { .activationBackward(.identity, saved: nil, dy: dy, dz: dy, blocks: blocks) }
}
