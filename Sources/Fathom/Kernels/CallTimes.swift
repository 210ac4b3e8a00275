import CKernels

/// What a call of a plan is for, as its tag: a pass of a layer, by its ordinal, or the step around the layers.
enum CallPurpose: Equatable {
    case step
    case forward(Int)
    case backward(Int)

    fileprivate var tag: UInt32 {
        switch self {
        case .step: 0
        case .forward(let layer): UInt32(2 * layer + 1)
        case .backward(let layer): UInt32(2 * layer + 2)
        }
    }
}

extension Call {
    /// The layer whose forward pass it belongs to.
    var forwardLayer: Int? { tag.isMultiple(of: 2) ? nil : Int(tag / 2) }

    func tagged(_ purpose: CallPurpose) -> Call {
        var call = self
        call.tag = purpose.tag
        return call
    }
}

/// Adds up the time and the work of the calls that it runs: of each layer's passes, and of each operation around the layers.
final class CallTimes {
    /// By tag, of what is for a layer; tag 0 is empty.
    private var ofTags: [StepTimes.Work]
    /// By operation, of the rest.
    private var ofOperations = [StepTimes.Work](repeating: .init(), count: Int(FATHOM_OPERATIONS.rawValue))
    /// What the adding up took.
    private(set) var bookkeeping = 0.0
    private var times: [UInt64] = []

    init(layers: Int) { ofTags = Array(repeating: .init(), count: 2 * layers + 1) }

    func run(_ calls: UnsafeBufferPointer<Call>, threads: Int) {
        if times.count <= calls.count {
            bookkeeping += ContinuousClock().measure { times = Array(repeating: 0, count: calls.count + 1) } / .seconds(1)
        }
        times.withUnsafeMutableBufferPointer { fathom_run_timed(calls.baseAddress, calls.count, Int32(clamping: threads), $0.baseAddress) }
        let begin = ContinuousClock.now
        for i in calls.indices {
            let tag = Int(calls[i].tag), seconds = Double(times[i + 1] - times[i]) * 1e-9
            if tag == 0 {
                ofOperations[Int(calls[i].operation.rawValue)].add(calls[i], seconds, isBackward: false)
            } else {
                ofTags[tag].add(calls[i], seconds, isBackward: tag.isMultiple(of: 2))
            }
        }
        bookkeeping += (.now - begin) / .seconds(1)
    }

    func work(_ purpose: CallPurpose) -> StepTimes.Work { ofTags[Int(purpose.tag)] }

    /// Of what is around the layers.
    func work(where belongs: (fathom_operation) -> Bool) -> StepTimes.Work {
        ofOperations.indices.filter { belongs(fathom_operation(UInt32($0))) }.reduce(into: StepTimes.Work()) { $0 += ofOperations[$1] }
    }
}

extension StepTimes.Work {
    fileprivate mutating func add(_ call: Call, _ seconds: Double, isBackward: Bool) {
        self.seconds += seconds
        calls += 1
        let grid = withUnsafePointer(to: call) { fathom_grid_of($0) }
        switch call.operation {
        case FATHOM_GEMM_FORWARD:
            let product = call.arguments.gemm_forward, elements = Double(product.rows * product.outputs)
            // A product that is made again counts for nothing.
            if !isBackward { productFlops += grid.flops }
            fuse((product.bias == nil ? 0 : elements) + Self.flops(product.activation) * elements)
        case FATHOM_GEMM_DGRAD:
            let product = call.arguments.gemm_dgrad
            productFlops += grid.flops
            fuse(Self.flops(product.activation) * Double(product.rows * product.inputs))
        case FATHOM_GEMM_WGRAD: productFlops += grid.flops
        default:
            elementwiseFlops += grid.flops
            bytes += grid.bytes
        }
    }

    private mutating func fuse(_ flops: Double) {
        elementwiseFlops += flops
        fusedFlops += flops
    }

    /// Of an activation of one element: a nominal figure, that of the kernels of its own.
    private static func flops(_ activation: fathom_activation) -> Double { activation == FATHOM_IDENTITY ? 0 : 20 }
}

extension StepTimes {
    init(_ times: CallTimes, _ network: Network, seconds: Double) {
        self.seconds = seconds - times.bookkeeping
        layers = network.places.map { place in
            Layer(name: place.name, forward: times.work(.forward(place.ordinal)), backward: times.work(.backward(place.ordinal)))
        }.filter { $0.forward.calls + $0.backward.calls > 0 }
        let gathers = [FATHOM_GATHER_BYTES, FATHOM_GATHER_FLOATS, FATHOM_GATHER_CLASSES]
        let clips = [FATHOM_SQUARED_NORM, FATHOM_CLIP, FATHOM_CLIP_VALUES, FATHOM_CLIP_TENSOR, FATHOM_CLIP_UNITS]
        let updates = [FATHOM_SGD, FATHOM_ADAM, FATHOM_RMSPROP, FATHOM_LION, FATHOM_MOVING_AVERAGE, FATHOM_FILL]
        let instrumental = [FATHOM_MOMENTS, FATHOM_SIGNAL_TOTAL, FATHOM_CHANGE_TOTAL, FATHOM_EXPONENTS]
        gather = times.work(where: gathers.contains)
        clipping = times.work(where: clips.contains)
        optimizer = times.work(where: updates.contains)
        instruments = times.work(where: instrumental.contains)
        loss = times.work { !(gathers + clips + updates + instrumental).contains($0) }
    }
}
