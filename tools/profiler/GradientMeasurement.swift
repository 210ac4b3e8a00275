import Fathom
import FathomStability
import Foundation

/// Everything that `fathom-profiler gradients` says of a network.
struct GradientMeasurement {
    enum Part: String, CaseIterable { case signal, jacobians, lyapunov, advice }

    struct Request {
        var parts = Set(Part.allCases)
        var averages = 4
        var isRandomSignal = false
        var jacobianSamples = 1
        var isExact = false
    }

    /// A recurrent layer over the time steps of the batch.
    struct Time {
        let name: String
        let steps: Int
        let spectrum: Spectrum
        /// |largest eigenvalue| of the weights between states, for each gate.
        let spectralRadii: [Double]
        /// log₁₀ of the root mean square over samples of ‖∂L/∂s_{T−k}‖/‖∂L/∂s_T‖ for a random error signal, k = 0 … T − 1.
        let logGradientByLag: [Double]
    }

    let subject: GradientSubject
    let request: Request
    /// Steps of depth, and what one is called.
    let steps: Int, noun: String
    let pass: LayerPass
    /// Of each of the pass's layers.
    private(set) var jacobians: [JacobianSummary] = []
    private(set) var depth: Spectrum?
    private(set) var time: Time?
    private(set) var rate: (rate: Double, standardError: Double)?
    private(set) var theory: StepTheory?
    private(set) var judgement: Judgement
    /// The network itself, probed as its cures are.
    private(set) var asItIs: Advice?
    private(set) var advice: [Advice] = []
    let threadsUsed = Fathom.Kernels.threadsAvailable
    /// What was sampled, and how more of it is had.
    private(set) var sampled: [String] = []

    /// Of products, n³ for each factor; of layers, inputs · outputs · the smaller of both: more than this is probed. Some 10 seconds on two cores.
    static let exactWork = 2.5e9
    /// Rows of the batch that advice and time go by.
    static let rowsOfAdvice = 64, rowsOverTime = 16

    init(_ subject: GradientSubject, _ request: Request) throws {
        (self.subject, self.request) = (subject, request)
        let model = subject.model, seed = subject.experiment.recipe.seed, depthPass = try DepthPass(model, subject.samples)
        (steps, noun) = (depthPass.steps.count, model.network.nounOfStep)
        var pass = try LayerPass(model, subject.samples)
        if pass.overflow == nil, request.parts.contains(.signal) { try pass.goBack(fromError: subject.error(depthPass, request, seed: seed)) }
        self.pass = pass
        judgement = Judgement(overflowAt: depthPass.overflow ?? steps, of: steps)
        if request.parts.contains(.jacobians) { try measureJacobians(seed: seed) }
        if depthPass.overflow == nil {
            try measureProducts(depthPass, seed: seed)
            try measureTime(seed: seed)
            try judge(depthPass, seed: seed)
        }
        if request.parts.contains(.signal) { try measureRate(depthPass, seed: seed) }
        if request.parts.contains(.advice) { try findAdvice(seed: seed) }
        sampled.append("statistics of layers over \(subject.samples.count) rows")
    }
}

extension GradientSubject {
    fileprivate func error(_ pass: DepthPass, _ request: GradientMeasurement.Request, seed: UInt64) throws -> [Float] {
        try request.isRandomSignal ? pass.randomError(seed: seed) : pass.lossError(experiment.loss, targets: samples.targets)
    }
}

// MARK: - Parts

extension GradientMeasurement {
    private mutating func measureJacobians(seed: UInt64) throws {
        let work = pass.maps.reduce(0) { $0 + Double($1.inputs) * Double($1.outputs) * Double(min($1.inputs, $1.outputs)) }
        let fits = request.isExact || work * Double(request.jacobianSamples) <= Self.exactWork
        var probed = 0
        jacobians = try pass.maps.map { map in
            let isExact = fits && max(map.inputs, map.outputs) <= LayerMap.widestExact
            if !isExact { probed += 1 }
            return JacobianSummary(try (0..<(map.mixesSamples ? 1 : request.jacobianSamples)).map {
                try map.jacobianSummary(exact: isExact, sample: $0, seed: seed)
            })
        }
        let samples = request.jacobianSamples, places = samples == 1 ? "one sample" : "\(samples) samples"
        let few = probed > 0 ? "; \(probed) of \(jacobians.count) probed: the largest singular value from below, the smallest unknown" : ""
        sampled.append("Jacobians of layers at \(places)\(few)")
    }

    private mutating func measureProducts(_ pass: DepthPass, seed: UInt64) throws {
        guard !request.parts.isDisjoint(with: [.jacobians, .lyapunov]) else { return }
        let sizes = (0...pass.steps.count).map { Double(pass.size($0)) }, samples = pass.mixesSamples ? 1 : request.jacobianSamples
        let factors = zip(sizes, sizes.dropFirst()).dropFirst(pass.steps.count == 1 ? 0 : 1).map { max($0, $1) }
        let work = factors.reduce(0) { $0 + $1 * $1 * $1 } * Double(samples)
        guard (factors.max() ?? 0) <= Double(LayerMap.widestExact), request.isExact || work <= Self.exactWork else {
            let spectrum = try ProbedSpectrum(pass, seed: seed)
            depth = .probed(spectrum, logBound: try Self.probedBound(pass, seed: seed))
            let way = (factors.max() ?? 0) > Double(LayerMap.widestExact) ? "beyond \(LayerMap.widestExact) numbers only probes can" : "--exact has all of it"
            sampled.append("the spectrum over depth by probes: 8 directions and 16 error signals at one \(pass.mixesSamples ? "batch" : "sample"); \(way)")
            return
        }
        depth = .exact(try (0..<samples).map { try DepthSpectrum(pass, sample: $0, seed: seed) })
        sampled.append("the whole spectrum over depth at \(samples == 1 ? pass.mixesSamples ? "the batch" : "one sample" : "\(samples) samples")")
    }

    /// Σ ln‖J_l‖₂ by Lanczos.
    private static func probedBound(_ pass: DepthPass, seed: UInt64) throws -> Double {
        try ((pass.steps.count == 1 ? 1 : 2)...pass.steps.count).reduce(0) { sum, l in
            sum + log(try pass.jacobianMap(l).largestSingularValues(steps: pass.mixesSamples ? 8 : 12, seed: seed).first ?? 0)
        }
    }

    private mutating func measureTime(seed: UInt64) throws {
        let model = subject.model, batch = subject.samples.selecting(0..<min(subject.samples.count, Self.rowsOverTime))
        let layers = model.network.layers.indices.filter { model.network.layers[$0] is Recurrent }
        let all = try layers.map { position in
            let pass = try RecurrentPass(model, batch, position: position), size = Double(pass.stateSize), work = size * size * size * Double(pass.steps)
            let isExact = pass.stateSize <= LayerMap.widestExact && (request.isExact || work <= Self.exactWork)
            let needed = !request.parts.isDisjoint(with: [.jacobians, .lyapunov])
            let spectrum: Spectrum = needed && isExact ? .exact([try DepthSpectrum(pass, seed: seed)]) : .probed(try ProbedSpectrum(pass, seed: seed), logBound: nil)
            let radii = try pass.stateSize > 2 * LayerMap.widestExact ? [] : pass.stateEigenvalues().map { $0.first ?? 0 }
            return (time: Time(
                name: "\(position).\(model.network.layers[position].name)", steps: pass.steps, spectrum: spectrum, spectralRadii: radii,
                logGradientByLag: try pass.logGradientByLag(seed: seed)), isExact: needed && isExact)
        }
        guard let worst = all.max(by: { $0.time.spectrum.logRMS.magnitude < $1.time.spectrum.logRMS.magnitude }) else { return }
        time = worst.time
        sampled.append("\(worst.time.name) over its \(worst.time.steps) time steps at one sample\(worst.isExact ? "" : " by probes"), the gradient against lag over \(batch.count) rows"
            + (all.count > 1 ? "; it is the one of \(all.count) recurrent layers that changes the gradient most" : ""))
    }

    /// By the depth, or by time where the gradient changes more there.
    private mutating func judge(_ pass: DepthPass, seed: UInt64) throws {
        let spectrum: Spectrum
        if let depth { spectrum = depth } else { spectrum = .probed(try ProbedSpectrum(pass, directions: 4, rounds: 1, probes: 8, seed: seed), logBound: nil) }
        judgement = (isJudgedOverTime(spectrum) ? time?.spectrum : spectrum)?.judgement ?? spectrum.judgement
    }

    private func isJudgedOverTime(_ depth: Spectrum?) -> Bool {
        guard let time else { return false }
        return depth.map { time.spectrum.logRMS.magnitude > $0.logRMS.magnitude } ?? true
    }

    /// What the verdict goes by.
    var judged: Spectrum? { isJudgedOverTime(depth) ? time?.spectrum : depth }

    private mutating func measureRate(_ pass: DepthPass, seed: UInt64) throws {
        let count = UInt64(request.averages), loss = subject.experiment.loss
        theory = subject.isTrained ? nil : try StepTheory(subject.model, batch: pass.mixesSamples ? subject.samples.count : nil)
        guard pass.overflow == nil else { return }
        var networks: [[Double]] = []
        for i in 0..<count {
            let drawn = try i == 0 ? pass : DepthPass(subject.model(seed: seed &+ i), subject.samples)
            guard drawn.overflow == nil else { continue }
            let error = try request.isRandomSignal ? drawn.randomError(seed: seed &+ i) : drawn.lossError(loss, targets: subject.samples.targets)
            networks.append(try drawn.logSquaredNorms(ofError: error))
        }
        rate = SignalRate(logSquaredNorms: networks).rate()
        if rate != nil { sampled.append("the signal rate over \(networks.count == 1 ? "this network alone" : "\(networks.count) networks")") }
    }

    private mutating func findAdvice(seed: UInt64) throws {
        let recipe = subject.experiment.recipe, rows = min(subject.samples.count, Self.rowsOfAdvice), samples = subject.samples.selecting(0..<rows)
        asItIs = try Advice(Cure(change: "as it is", network: subject.model.network), subject.model, samples, seed: seed)
        advice = try Advice.all(
            for: recipe.network, samples: samples, outputs: subject.experiment.outputs, initializer: recipe.initializer,
            details: subject.experiment.details, seed: seed)
        sampled.append("each cure by one network drawn anew, on \(rows) rows, by 4 directions and 8 error signals")
    }
}

extension JacobianSummary {
    /// Over samples: the largest, the smallest, the mean of the mean squares.
    fileprivate init(_ all: [JacobianSummary]) {
        let smallest = all.compactMap(\.smallest)
        self.init(
            largest: all.map(\.largest).max() ?? 0, smallest: smallest.count == all.count ? smallest.min() : nil,
            meanSquare: all.reduce(0) { $0 + $1.meanSquare } / Double(max(1, all.count)))
    }
}

extension RecurrentPass {
    /// See `GradientMeasurement.Time`.
    fileprivate func logGradientByLag(seed: UInt64) throws -> [Double] {
        let norms = try logGradientNorms(ofError: standardNormal(samples * stateSize, seed: seed, stream: 2))
        return (0..<steps).map { lag in
            let logs = norms.map { 2 * ($0[lag] - $0[0]) }, largest = logs.max() ?? 0
            guard largest.isFinite else { return largest }
            return 0.5 * (largest + log(logs.reduce(0) { $0 + exp($1 - largest) } / Double(logs.count))) / log(10)
        }
    }
}
