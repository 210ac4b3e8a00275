/// Where a trainer gathers what it tells of its layers: of each layer with parameters the sums of its signal over a step's batch, and of its parameters' change.
///
/// What a call tells of a signal lies in the plan (see `PlanBuilder.watch`); the totals of a step, over its passes, lie here. They are made when somebody looks, since most
/// steps of a long training are looked at by nobody; of several passes at the end of each, since the next one writes over what they are made from.
final class LayerInstruments {
    /// A layer with parameters of its own.
    struct Layer {
        let ordinal: Int
        /// "0.linear"
        let name: String
        /// Of its output, per sample.
        let output: Shape
        /// What the backward pass goes through behind it; nil where that is not one function of each entry (gated cells).
        let activation: Activation?
        /// Into `ParameterLayout.tensors`.
        let tensors: Range<Int>
        let signal: UnsafeMutablePointer<SignalSums>
        /// Of the batch: bit c of word p is set where φ′ is not 0 in some row of column 16·p + c.
        let alive: UnsafeMutablePointer<UInt32>
        /// Σ p² before the step and Σ Δp² of its parameters.
        let change: UnsafeMutablePointer<Double>
        /// The same of what lies in each block of 1024 parameters, tensor after tensor.
        let changes: UnsafeMutablePointer<Double>
        let changeBlocks: Int
        /// Of its output, panel by panel; nil unless `isFull`.
        let exponents: UnsafeMutablePointer<UInt32>?
    }

    /// A residual whose branch is measured beside its trunk, where `isFull`.
    struct Branch {
        let ordinal: Int
        let name: String
        /// What the branch is multiplied by, and the parameter that it is multiplied by too.
        let scale: Double
        let learned: ParameterTensor?
        let trunk: UnsafeMutablePointer<SignalSums>
        let branch: UnsafeMutablePointer<SignalSums>
        /// What the totals are made with, and never read.
        let alive: UnsafeMutablePointer<UInt32>
    }

    let layers: [Layer]
    let branches: [Branch]
    /// Of each branch, all that it was multiplied by in the last step.
    private(set) var scales: [Double]
    /// Whether exponents are counted and residual branches measured too.
    let isFull: Bool
    let byteCount: Int
    private let changeSources: UnsafeMutablePointer<ChangeSource>
    /// nil where it is only measured.
    private let memory: Memory?
    /// Bytes of what is gathered, which lies first.
    private let gathered: Int
    private let indices: [Int: Int]

    /// - Parameter measuring: whether only `byteCount` is asked for, and that of plans with these instruments: addresses are then of no use.
    init(_ network: Network, _ layout: ParameterLayout, isFull: Bool, measuring: Bool = false) throws {
        typealias Laid = (layers: [Layer], branches: [Branch], gathered: Int, sources: UnsafeMutablePointer<ChangeSource>, byteCount: Int)
        func lay(_ memory: Memory?) -> Laid {
            var reservation = Reservation(in: memory), layers: [Layer] = [], branches: [Branch] = [], next = 0
            for (place, input) in zip(network.places, layout.shapes) {
                let tensors = next..<(layout.tensors[next...].firstIndex { $0.layer != place.ordinal } ?? layout.tensors.count)
                let output = (try? place.layer.output(for: input)) ?? input, panels = Panels.panels(output.columns)
                if isFull, let residual = place.layer as? Residual {
                    let sums = reservation.reserve(SignalSums.self, count: 2), alive = reservation.reserve(UInt32.self, count: panels)
                    branches.append(Branch(
                        ordinal: place.ordinal, name: place.name, scale: residual.constantScale(layout),
                        learned: layout.tensors(ofLayer: place.ordinal).first { $0.role == .vector }, trunk: sums, branch: sums + 1, alive: alive))
                }
                guard !tensors.isEmpty else { continue }
                next = tensors.upperBound
                let blocks = tensors.reduce(0) { $0 + Self.changeBlocks(layout.tensors[$1], layout) }
                layers.append(Layer(
                    ordinal: place.ordinal, name: place.name, output: output, activation: Self.activation(of: place), tensors: tensors,
                    signal: reservation.reserve(SignalSums.self, count: 1), alive: reservation.reserve(UInt32.self, count: panels),
                    change: reservation.reserve(Double.self, count: 2), changes: reservation.reserve(Double.self, count: 2 * blocks), changeBlocks: blocks,
                    exponents: isFull ? reservation.reserve(UInt32.self, count: panels * ExponentHistogram.bins) : nil))
            }
            let gathered = reservation.byteCount
            return (layers, branches, gathered, reservation.reserve(ChangeSource.self, count: layers.count), reservation.byteCount)
        }
        let measured = lay(nil)
        memory = measuring ? nil : try Memory(byteCount: measured.byteCount)
        (layers, branches, gathered, changeSources, byteCount) = measuring ? measured : lay(memory)
        scales = branches.map(\.scale)
        self.isFull = isFull
        if !measuring {
            for (i, layer) in layers.enumerated() {
                changeSources[i] = ChangeSource(blocks: layer.changeBlocks, changes: UnsafePointer(layer.changes), total: layer.change)
            }
        }
        indices = Dictionary(uniqueKeysWithValues: layers.enumerated().map { ($1.ordinal, $0) })
    }

    private static func activation(of place: Place) -> Activation? {
        if let recurrent = place.layer as? Recurrent {
            if case .rnn(let activation) = recurrent.cell { return activation }
            return nil
        }
        return place.layer.planned.fusesActivation ? place.following ?? .identity : .identity
    }

    /// Of the blocks of its pass, those that the tensor has a part in.
    private static func changeBlocks(_ tensor: ParameterTensor, _ layout: ParameterLayout) -> Int {
        let rows = OptimizerPass.rows(tensor, layout), block = OptimizerPass.blockRows
        return rows.isEmpty ? 0 : (rows.upperBound - 1) / block - rows.lowerBound / block + 1
    }

    /// Where the optimizer leaves what it changes of each tensor, block by block.
    func changes(_ layout: ParameterLayout) -> [UnsafeMutablePointer<Double>] {
        var places: [UnsafeMutablePointer<Double>] = []
        for layer in layers {
            var next = layer.changes
            for tensor in layout.tensors[layer.tensors] {
                places.append(next)
                next += 2 * Self.changeBlocks(tensor, layout)
            }
        }
        return places
    }

    func layer(_ ordinal: Int) -> Layer? { indices[ordinal].map { layers[$0] } }

    /// Before a step changes them.
    func keepScales(_ parameters: UnsafeMutablePointer<Float>) {
        // Over indices: unspecialized, as in debug builds, an array's iterator allocates.
        for i in branches.indices { if let learned = branches[i].learned { scales[i] = branches[i].scale * Double(parameters[learned.offset]) } }
    }

    /// Before the first of several passes.
    func clear() { memory?.base.initializeMemory(as: UInt8.self, repeating: 0, count: gathered) }

    /// Sums up what the last update changed.
    func sumChanges(threads: Int) { run([.changeTotals(changeSources, count: layers.count)], threads: threads) }
}

/// What the totals of a plan's signals are made from. It lies beside the plan's memory, which plans share.
final class SignalSourceList {
    private let first: UnsafeMutablePointer<SignalSource>
    private let totals: [Call]

    init(_ sources: [SignalSource]) {
        first = .allocate(capacity: sources.count)
        first.initialize(from: sources, count: sources.count)
        totals = sources.isEmpty ? [] : [.signalTotals(first, count: sources.count)]
    }

    deinit { first.deallocate() }

    func sum(threads: Int, _ times: CallTimes? = nil) { run(totals, threads: threads, times) }
}

extension PlanBuilder {
    /// Has the moments of a layer's output gathered, on the way forward where the way back does not read it, and gives the signal the place where the backward pass
    /// leaves what it tells of it.
    mutating func watch(_ signal: Signal, of ordinal: Int, gathering: SignalGathering) -> Signal {
        guard training, let instruments = settings.instruments, let layer = instruments.layer(ordinal) else { return signal }
        let values = signal.values
        if watched[ordinal] == nil {
            let blocks = SignalBlocks(rows: values.rows, columns: values.columns, byStep: gathering == .byStep ? signal.steps : nil, in: &pool)
            watched[ordinal] = blocks
            let moments = layer.activation?.slopeIsOfOutput == true ? nil : appendMoments(of: values)
            signalSources.append(SignalSource(
                columns: values.columns, moments: moments, blocks: blocks, accumulate: settings.accumulates, alive: layer.alive, total: layer.signal))
            if let counts = layer.exponents {
                pass(.step) { $0.append(.exponents(values, accumulate: $0.settings.accumulates, counts: counts).overlapping()) }
            }
        }
        guard gathering == .byFollower else { return signal }
        return Signal(values, steps: signal.steps, activation: signal.activation, saved: signal.saved, blocks: watched[ordinal])
    }

    /// Where a call that is divided by rows alone leaves what it tells of a signal: in blocks of 16 rows, so that there are enough for all threads.
    mutating func lowBlocks(of signal: Signal) -> SignalBlocks? {
        guard let blocks = signal.blocks else { return nil }
        let low = blocks.low(rows: signal.values.rows)
        if let source = signalSources.firstIndex(where: { $0.blocks.sums == blocks.sums }) { signalSources[source].blocks = low }
        return low
    }

    /// Leaves what there is to tell of the network's output to the loss, which reads it and makes its gradient: where it goes. Nil where nobody asks, where an activation
    /// comes in between, and of wide outputs: a loss has rows in blocks then, and calls of their own, divided by columns, more threads.
    mutating func takeOutput(_ signal: Signal) -> SignalBlocks? {
        guard signal.activation == .identity, signal.values.columns <= 64, let blocks = signal.blocks,
            let source = signalSources.firstIndex(where: { $0.blocks.sums == blocks.sums }), let moments = signalSources[source].moments
        else { return nil }
        dropMoments(at: moments)
        signalSources[source].moments = nil
        return blocks
    }
}

extension PlanBuilder {
    /// Has the trunk and the branch of a residual measured, before they are added.
    mutating func watch(trunk: Panels, branch: Panels, of ordinal: Int) {
        guard training, !isRecomputing, let found = settings.instruments?.branches.first(where: { $0.ordinal == ordinal }) else { return }
        for (values, total) in [(trunk, found.trunk), (branch, found.branch)] {
            let sums = pool.reserve(Double.self, count: 3 * Panels.panels(values.columns))
            // With a barrier: the sum may be written where the trunk is.
            pass(.step) { $0.append(.moments(values, sums: sums)) }
            signalSources.append(SignalSource(
                columns: values.columns, moments: sums, blocks: nil, accumulate: settings.accumulates, alive: found.alive, total: total))
        }
    }
}
