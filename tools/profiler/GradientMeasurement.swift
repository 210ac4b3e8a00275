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
    private(set) var pass: LayerPass
    /// Of each of the pass's layers; nil of those between evenly spaced ones.
    private(set) var jacobians: [JacobianSummary?] = []
    private(set) var depth: Spectrum?
    private(set) var time: Time?
    /// ln of the squared norm of an error signal at each step, of each network drawn.
    private var norms: [[Double]] = []
    private(set) var rate: (rate: Double, standardError: Double)?
    private(set) var theory: StepTheory?
    private(set) var judgement: Judgement
    /// The network itself, told as its cures are.
    private(set) var asItIs: Advice?
    private(set) var advice: [Advice] = []
    let threadsUsed = Fathom.Kernels.threadsAvailable
    /// What was sampled, and how more of it is had.
    private(set) var sampled: [String] = []

    /// n³ for each factor of a product, inputs · outputs · the smaller of both for each layer: more than this is probed. Some 30 seconds of a core, by what less takes.
    static let exactWork = 2.5e10
    /// Layers whose Jacobians are taken: of more, as many that are evenly spaced.
    static let mostJacobians = 1024
    /// Rows of the batch that advice and time go by.
    static let rowsOfAdvice = 64, rowsOverTime = 16

    init(_ subject: GradientSubject, _ request: Request, progress: ProgressLine? = nil) throws {
        (self.subject, self.request) = (subject, request)
        let model = subject.model, samples = subject.samples, seed = subject.experiment.recipe.seed
        progress?.begin("forward passes")
        let (pass, depthPass) = try concurrently({ try LayerPass(model, samples) }, { try DepthPass(model, samples) })
        (self.pass, steps, noun) = (pass, depthPass.steps.count, model.network.nounOfStep)
        judgement = Judgement(overflowAt: depthPass.overflow ?? steps, of: steps)
        // What takes longest begins first.
        var jobs = depthPass.overflow == nil ? productJobs(depthPass, seed: seed) : []
        if depthPass.overflow == nil {
            jobs += timeJobs(seed: seed)
            jobs += try signalJobs(depthPass, seed: seed)
        }
        jobs += jacobianJobs(seed: seed)
        progress?.begin("Jacobians and signals", of: jobs.count)
        let found = try concurrentMap(jobs.count) { [jobs] place in
            defer { progress?.advance() }
            return try jobs[place]()
        }
        for put in found { put(&self) }
        if depthPass.overflow == nil { try judge(depthPass, seed: seed) }
        if request.parts.contains(.signal) { try measureRate(depthPass) }
        if request.parts.contains(.advice) { try findAdvice(seed: seed, progress) }
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
    /// Measures something beside others, and gives what puts it into the measurement.
    private typealias Job = @Sendable () throws -> @Sendable (inout GradientMeasurement) -> Void

    private mutating func jacobianJobs(seed: UInt64) -> [Job] {
        guard request.parts.contains(.jacobians) else { return [] }
        let all = pass.maps.count, count = request.isExact ? all : min(all, Self.mostJacobians)
        let places = (0..<count).map { count == all ? $0 : $0 * (all - 1) / (count - 1) }, samples = request.jacobianSamples
        let work = places.reduce(0) { $0 + pass.maps[$1].work } * Double(samples), fits = request.isExact || work <= Self.exactWork
        let widest = places.map { max(pass.maps[$0].inputs, pass.maps[$0].outputs) }, probed = widest.count { !fits || $0 > LayerMap.widestExact }
        jacobians = [JacobianSummary?](repeating: nil, count: all)
        let layers = count == all ? "layers" : "\(count) of \(all) layers, evenly spaced,", which = count == all ? "" : "; --exact takes all"
        let few = probed > 0 ? "; \(probed) of \(count) probed: the largest singular value from below, the smallest unknown" : ""
        sampled.append("Jacobians of \(layers) at \(samples == 1 ? "one sample" : "\(samples) samples")\(few)\(which)")
        return zip(places, widest).map { [pass] place, width in
            let map = pass.maps[place], isExact = fits && width <= LayerMap.widestExact
            let job: Job = {
                let summary = JacobianSummary(try (0..<(map.mixesSamples ? 1 : samples)).map { try map.jacobianSummary(exact: isExact, sample: $0, seed: seed) })
                return { $0.jacobians[place] = summary }
            }
            return job
        }
    }

    private mutating func productJobs(_ pass: DepthPass, seed: UInt64) -> [Job] {
        guard !request.parts.isDisjoint(with: [.jacobians, .lyapunov]) else { return [] }
        let samples = pass.mixesSamples ? 1 : request.jacobianSamples, work = pass.productWork * Double(samples)
        let isNarrow = ((pass.steps.count == 1 ? 0 : 1)...pass.steps.count).allSatisfy { pass.size($0) <= LayerMap.widestExact }
        guard isNarrow, request.isExact || work <= Self.exactWork else {
            let way = isNarrow ? "--exact has all of it" : "beyond \(LayerMap.widestExact) numbers only probes can"
            sampled.append("the spectrum over depth by probes: 8 directions and 16 error signals at one \(pass.mixesSamples ? "batch" : "sample"), "
                + "which cannot tell the median and the smallest, so not whether half of all directions vanish while others explode; \(way)")
            let job: Job = {
                let spectrum = Spectrum.probed(try ProbedSpectrum(pass, seed: seed), logBound: try Self.probedBound(pass, seed: seed))
                return { $0.depth = spectrum }
            }
            return [job]
        }
        sampled.append("the whole spectrum over depth at \(samples == 1 ? pass.mixesSamples ? "the batch" : "one sample" : "\(samples) samples")")
        let job: Job = {
            let spectrum = Spectrum.exact(try (0..<samples).map { try DepthSpectrum(pass, sample: $0, seed: seed) })
            return { $0.depth = spectrum }
        }
        return [job]
    }

    /// Σ ln‖J_l‖₂ by Lanczos.
    private static func probedBound(_ pass: DepthPass, seed: UInt64) throws -> Double {
        try ((pass.steps.count == 1 ? 1 : 2)...pass.steps.count).reduce(0) { sum, l in
            sum + log(try pass.jacobianMap(l).largestSingularValues(steps: pass.mixesSamples ? 8 : 12, seed: seed).first ?? 0)
        }
    }

    /// One for each recurrent layer. The one that changes the gradient most is kept.
    private func timeJobs(seed: UInt64) -> [Job] {
        let model = subject.model, batch = subject.samples.selecting(0..<min(subject.samples.count, Self.rowsOverTime))
        let layers = model.network.layers.indices.filter { model.network.layers[$0] is Recurrent }
        let needed = !request.parts.isDisjoint(with: [.jacobians, .lyapunov]), always = request.isExact, others = layers.count - 1
        return layers.map { position in
            let job: Job = {
                let pass = try RecurrentPass(model, batch, position: position), work = pass.productWork * Double(layers.count)
                let isExact = needed && pass.stateSize <= LayerMap.widestExact && (always || work <= Self.exactWork)
                let spectrum: Spectrum = isExact ? .exact([try DepthSpectrum(pass, seed: seed)]) : .probed(try ProbedSpectrum(pass, seed: seed), logBound: nil)
                let radii = try pass.stateSize > 2 * LayerMap.widestExact ? [] : pass.stateEigenvalues().map { $0.first ?? 0 }
                let time = Time(
                    name: "\(position).\(model.network.layers[position].name)", steps: pass.steps, spectrum: spectrum, spectralRadii: radii,
                    logGradientByLag: try pass.logGradientByLag(seed: seed))
                let told = "\(time.name) over its \(time.steps) time steps at one sample\(isExact ? "" : " by probes"), the gradient against lag over \(batch.count) rows"
                    + (others > 0 ? "; it is the one of \(layers.count) recurrent layers that changes the gradient most" : "")
                return { $0.keep(time, told) }
            }
            return job
        }
    }

    private mutating func keep(_ next: Time, _ told: String) {
        if let time {
            guard next.spectrum.logRMS.magnitude > time.spectrum.logRMS.magnitude else { return }
            sampled.removeLast()
        }
        time = next
        sampled.append(told)
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

    /// The layers' gradients, and what an error signal's norm is at each step of this network and of others drawn anew.
    private func signalJobs(_ depthPass: DepthPass, seed: UInt64) throws -> [Job] {
        guard request.parts.contains(.signal) else { return [] }
        let subject = subject, request = request, error = try subject.error(depthPass, request, seed: seed)
        let gradients: Job = { [pass] in
            var back = pass
            try back.goBack(fromError: error)
            return { [back] in $0.pass = back }
        }
        let rates = (0..<UInt64(request.averages)).map { i in
            let job: Job = {
                let drawn = try i == 0 ? depthPass : DepthPass(subject.model(seed: seed &+ i), subject.samples)
                guard drawn.overflow == nil else { return { _ in } }
                let norms = try drawn.logSquaredNorms(ofError: i == 0 ? error : subject.error(drawn, request, seed: seed &+ i))
                return { $0.norms.append(norms) }
            }
            return job
        }
        return pass.overflow == nil ? [gradients] + rates : rates
    }

    private mutating func measureRate(_ pass: DepthPass) throws {
        theory = subject.isTrained ? nil : try StepTheory(subject.model, batch: pass.mixesSamples ? subject.samples.count : nil)
        rate = SignalRate(logSquaredNorms: norms).rate()
        if rate != nil { sampled.append("the signal rate over \(norms.count == 1 ? "this network alone" : "\(norms.count) networks")") }
    }

    private mutating func findAdvice(seed: UInt64, _ progress: ProgressLine?) throws {
        let recipe = subject.experiment.recipe, rows = min(subject.samples.count, Self.rowsOfAdvice), samples = subject.samples.selecting(0..<rows)
        progress?.begin("cures")
        asItIs = try Advice(Cure(change: "as it is", network: subject.model.network), subject.model, samples, seed: seed)
        advice = try Advice.all(
            for: recipe.network, samples: samples, outputs: subject.experiment.outputs, initializer: recipe.initializer,
            details: subject.experiment.details, seed: seed) { progress?.advance(of: $0) }
        let probed = advice.count { $0.isProbed }
        sampled.append("each cure by one network drawn anew, on \(rows) rows\(probed == 0 ? "" : ", \(probed) of \(advice.count) by probes, their largest from below")")
    }
}

extension LayerMap {
    fileprivate var work: Double { Double(inputs) * Double(outputs) * Double(min(inputs, outputs)) }
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
