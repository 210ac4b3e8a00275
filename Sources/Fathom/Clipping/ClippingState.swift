/// What clipping remembers from step to step: the state of its `percentile` and `zscore`, each of which stands once at most.
struct ClippingState {
    private var autoClip: AutoClip?
    private var zClip: ZClip?

    init(_ clipping: Clipping) {
        for stage in clipping.stages {
            switch stage {
            case .percentile(let percentile, let window): autoClip = AutoClip(percentile: percentile, window: window)
            case .zscore(let largest, let decay, let warmup): zClip = ZClip(largest: largest, decay: decay, warmup: warmup)
            case .value, .norm, .tensorNorm, .unitNorm, .adaptive, .timeNorm: break
            }
        }
    }

    /// Takes a norm through a stage that multiplies the whole gradient by one number.
    /// - Returns: the norm after it.
    mutating func clip(_ norm: Double, by stage: Clipping.Stage) -> Double {
        switch stage {
        // As float32, like the kernel that clips by norm alone.
        case .norm(let largest): min(norm, Double(Float(largest)))
        case .percentile: autoClip?.clip(norm) ?? norm
        case .zscore: zClip?.clip(norm) ?? norm
        case .value, .tensorNorm, .unitNorm, .adaptive, .timeNorm: norm
        }
    }

    // MARK: In a checkpoint

    private static let historyName = "clip.percentile", zScoreName = "clip_zscore"

    var metadata: [String: String] { zClip.map { [Self.zScoreName: $0.text] } ?? [:] }

    var tensors: [SafeTensors.Tensor] {
        guard let norms = autoClip?.norms else { return [] }
        return [SafeTensors.Tensor(name: Self.historyName, shape: [norms.count], values: norms)]
    }

    /// - Throws: what is wrong with the checkpoint.
    func restored(from checkpoint: SafeTensorsFile, name: String) throws -> ClippingState {
        var restored = self
        if let autoClip {
            guard let norms = try checkpoint[Self.historyName]?.values(), let known = autoClip.restored(norms) else {
                throw FathomError.invalid("\(name): tensor '\(Self.historyName)', the norms of clipping by percentile, is missing or not what it should be")
            }
            restored.autoClip = known
        }
        if let zClip {
            guard let text = checkpoint.metadata[Self.zScoreName], let known = zClip.restored(text) else {
                throw FathomError.invalid("\(name): its metadata lack '\(Self.zScoreName)', the statistics of clipping by zscore")
            }
            restored.zClip = known
        }
        return restored
    }
}
