/// How the learning rate changes during training, as a factor of the optimizer's: a warm-up, then a shape.
public struct Schedule: Sendable, Hashable {
    public enum Shape: Sendable, Hashable {
        case constant
        /// A straight line from 1 to `end` at the end of training.
        case linear(end: Double)
        /// Half a cosine from 1 to `end` at the end of training: Loshchilov & Hutter 2017, equation 5, with one period.
        case cosine(end: Double)
        /// Times `factor` after every `epochs` epochs.
        case step(epochs: Int, factor: Double)
        /// Half a cosine from `start` up to 1 over the warm-up, another down to `end`: Smith & Topin 2018, in the form of PyTorch's `OneCycleLR`.
        case oneCycle(start: Double, end: Double)
        /// 1 until the last `decay`, over which it falls to `end` as 1 − √: Hägele et al. 2024, section 3.
        case warmupStableDecay(decay: Length, end: Double)
        /// Times `factor` whenever the watched loss has not improved for `patience` epochs; see `PlateauState`.
        case plateau(factor: Double, patience: Int, threshold: Double)
    }

    /// A part of a training: so many steps, or a share of them all.
    public enum Length: Sendable, Hashable, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral {
        case steps(Int)
        /// Above 0 and below 1.
        case share(Double)

        public init(integerLiteral steps: Int) { self = .steps(steps) }
        public init(floatLiteral value: Double) { self.init(value) }

        /// Below 1 a share, else steps.
        init(_ value: Double) { self = value > 0 && value < 1 ? .share(value) : .steps(Int(value)) }

        func steps(of total: Int) -> Double {
            switch self {
            case .steps(let steps): Double(steps)
            case .share(let share): share * Double(total)
            }
        }
    }

    public var shape: Shape
    /// In its first w steps the factor is (s + 1)/w times the shape's, s counting from 0: Goyal et al. 2017, section 2.2. In one-cycle, the way up.
    public var warmup: Length

    public init(_ shape: Shape, warmup: Length = 0) {
        self.shape = shape
        self.warmup = warmup
    }

    public static let constant = Schedule(.constant)
    public static func linear(warmup: Length = 0, end: Double = 0) -> Schedule { Schedule(.linear(end: end), warmup: warmup) }
    public static func cosine(warmup: Length = 0, end: Double = 0) -> Schedule { Schedule(.cosine(end: end), warmup: warmup) }
    public static func step(epochs: Int, factor: Double, warmup: Length = 0) -> Schedule {
        Schedule(.step(epochs: epochs, factor: factor), warmup: warmup)
    }
    public static func oneCycle(warmup: Length = 0.3, start: Double = 0.04, end: Double = 4e-6) -> Schedule {
        Schedule(.oneCycle(start: start, end: end), warmup: warmup)
    }
    public static func warmupStableDecay(warmup: Length = 0, decay: Length = 0.2, end: Double = 0) -> Schedule {
        Schedule(.warmupStableDecay(decay: decay, end: end), warmup: warmup)
    }
    public static func plateau(factor: Double = 0.5, patience: Int = 5, threshold: Double = 1e-4, warmup: Length = 0) -> Schedule {
        Schedule(.plateau(factor: factor, patience: patience, threshold: threshold), warmup: warmup)
    }

    /// Whether the factor depends on how long training lasts.
    public var hasHorizon: Bool {
        if case .share = warmup { return true }
        return switch shape {
        case .constant, .step, .plateau: false
        case .linear, .cosine, .oneCycle, .warmupStableDecay: true
        }
    }

    /// The fewest steps in which it does what it says: those of its warm-up and its decay, where they are given in steps.
    public var fixedSteps: Int {
        var lengths = [warmup]
        if case .warmupStableDecay(let decay, _) = shape { lengths.append(decay) }
        return lengths.reduce(0) { if case .steps(let steps) = $1 { $0 + steps } else { $0 } }
    }

    /// The factor for one step. Past the end of training, a shape that ends with it stays where it ended.
    ///
    /// - Parameters:
    ///   - step: The steps already taken: 0 for the first one.
    ///   - totalSteps: The steps of the whole training.
    ///   - stepsPerEpoch: The steps of an epoch.
    ///   - reductions: Those of a plateau so far; see `PlateauState`.
    public func multiplier(step: Int, of totalSteps: Int, stepsPerEpoch: Int, reductions: Int = 0) -> Double {
        let s = Double(step), total = Double(totalSteps), w = warmup.steps(of: totalSteps)
        /// How much of the way from `start` to `end` is done, 0 … 1.
        func done(from start: Double, to end: Double) -> Double { s <= start ? 0 : s < end ? (s - start) / (end - start) : 1 }
        let climb = s + 1 < w ? (s + 1) / w : 1
        switch shape {
        case .constant: return climb
        case .linear(let end): return climb * (end + (1 - end) * (1 - done(from: w, to: total)))
        case .cosine(let end): return climb * Self.halfCosine(from: 1, to: end, done(from: w, to: total))
        case .step(let epochs, let factor): return climb * power(factor, step / max(1, stepsPerEpoch) / max(1, epochs))
        case .oneCycle(let start, let end):
            let top = w - 1
            return s < top ? Self.halfCosine(from: start, to: 1, s / top) : Self.halfCosine(from: 1, to: end, done(from: top, to: total - 1))
        case .warmupStableDecay(let decay, let end):
            return climb * (1 - (1 - end) * done(from: max(w, total - decay.steps(of: totalSteps)), to: total).squareRoot())
        case .plateau(let factor, _, _): return climb * power(factor, reductions)
        }
    }

    private static func halfCosine(from start: Double, to end: Double, _ fraction: Double) -> Double {
        // At the end the sum could miss `end` by a rounding.
        fraction < 1 ? end + (start - end) * (0.5 * (1 + cosPi(fraction))) : end
    }
}

/// The smallest of the losses seen, and how long ago it was.
public struct LossWatch: Sendable, Hashable {
    public private(set) var best: Double
    /// Losses seen since.
    public private(set) var since: Int

    public init(best: Double = .infinity, since: Int = 0) {
        self.best = best
        self.since = since
    }

    /// - Parameter threshold: the part of the best by which a loss must be smaller.
    /// - Returns: whether this one is the best. NaN never is.
    @discardableResult
    public mutating func see(_ loss: Double, threshold: Double = 0) -> Bool {
        let isBest = loss < best * (1 - threshold)
        if isBest { best = loss }
        since = isBest ? 0 : since + 1
        return isBest
    }
}

/// What a plateau schedule remembers between epochs.
public struct PlateauState: Sendable, Hashable {
    public private(set) var watch: LossWatch
    /// What `Schedule.multiplier` takes.
    public private(set) var reductions: Int

    public init(watch: LossWatch = LossWatch(), reductions: Int = 0) {
        self.watch = watch
        self.reductions = reductions
    }

    /// At the end of an epoch: takes in the watched loss. Other schedules than plateau watch none.
    public mutating func see(_ loss: Double, _ schedule: Schedule) {
        guard case .plateau(_, let patience, let threshold) = schedule.shape else { return }
        watch.see(loss, threshold: threshold)
        guard watch.since >= patience else { return }
        reductions += 1
        watch = LossWatch(best: watch.best)
    }
}
