import Fathom
import FathomCommandLine
import FathomFormats

extension StepMeasurement {
    var json: JSON {
        .object([
            .init("event", "step"), .init("network", .string(subject.experiment.recipe.network.description)), .init("batch", .integer(subject.batch)),
            .init("inputs", .integer(subject.experiment.training.columns)), .init("threads", .integer(subject.threads)),
            .init("isa", .string(Fathom.Kernels.instructionSet)), .init("milliseconds", rounded(milliseconds)), .init("spread", rounded(seconds.spread)),
            .init("samples_per_second", rounded(samplesPerSecond)), .init("gflops", rounded(gflops)), .init("peak_gflops", rounded(machine.peak.median)),
            .init("peak_spread", rounded(machine.peak.spread)), .init("of_peak", machine.peak.median > 0 ? rounded(ofPeak) : .null),
            .init("flops", ["forward": .number(forwardFlops), "backward": .number(backwardFlops), "elementwise": .number(work.elementwiseFlops)]),
            .init("layers", .array(layers.map(\.json))),
        ] + parts.flatMap { name, time in [JSON.Member("\(name)_ms", rounded(time.median * 1e3)), .init("\(name)_spread", rounded(time.spread))] } + limits + [
            .init("instruments_share", rounded(instrumentsShare)),
            .init("one_thread_ms", ofOneThread.map { rounded($0.median * 1e3) } ?? .null), .init("scaling", scaling.map(rounded) ?? .null),
            .init("trusted", .boolean(noise.isTrusted)), .init("noise", .string(noise.verdict)),
        ])
    }

    private var limits: [JSON.Member] {
        let bound = bound.map { rounded($0.seconds * 1e3) } ?? .null
        let barrier = machine.barrier.map { rounded($0.median * 1e6) } ?? .null
        return [.init("bound_ms", bound), .init("bandwidth_gbs", rounded(machine.bandwidth.median)), .init("barrier_us", barrier)]
    }

    private var parts: [(name: String, time: Distribution)] {
        [("gather", gather), ("loss", loss), ("clipping", clipping), ("optimizer", optimizer), ("instruments", instruments), ("other", other)]
    }

    /// Layers in a row of which the middle is summed up.
    private static let mostLayers = 40

    /// The parts of a step in the order in which they run, then the whole.
    func text(width: Int) -> String {
        table(width: width).text(width: width) + "\n" + facts.map { wrapped($0, width: width, indent: "") }.joined()
    }

    private static let header = ["part", "forward ms", "backward ms", "ms", "share", "GFLOP/s", "of peak", "spread"]
    /// Columns that go, from the least needed, where the terminal is narrow.
    private static let dispensable = [["GFLOP/s"], ["spread"], ["of peak"], ["forward ms", "backward ms"], ["share"]]

    /// The widest that fits; all of it, which is then set a line for each figure, where none does.
    private func table(width: Int) -> Table {
        let rows = rows, header = Self.header
        let tables = (0...Self.dispensable.count).map { narrower in
            let dropped = Self.dispensable.prefix(narrower).joined(), kept = header.indices.filter { !dropped.contains(header[$0]) }
            return Table(header: kept.map { header[$0] }, rows: rows.map { row in kept.map { row[$0] } }, right: Set(1..<kept.count))
        }
        return tables.first { $0.width <= width } ?? tables[0]
    }

    private var rows: [[String]] {
        var rows = layers.map(row)
        if rows.count > Self.mostLayers {
            let half = Self.mostLayers / 2, hidden = layers[half..<layers.count - half + 1]
            rows = rows.prefix(half) + [sum(Array(hidden))] + rows.suffix(half - 1)
        }
        return [row(of: parts[0])] + rows + parts.dropFirst().map(row)
    }

    private func row(of part: (name: String, time: Distribution)) -> [String] {
        [part.name, "", "", short(part.time.median * 1e3), percent(part.time.median / sumOfParts), "", "", percent(part.time.spread)]
    }

    private func row(_ layer: Layer) -> [String] {
        cells(layer.name, [layer], percent(layer.seconds.spread))
    }

    private func sum(_ hidden: [Layer]) -> [String] { cells("… \(hidden.count) more", hidden, "") }

    private func cells(_ name: String, _ layers: [Layer], _ spread: String) -> [String] {
        func sum(_ value: (Layer) -> Double) -> Double { layers.reduce(0) { $0 + value($1) } }
        func time(_ work: (Layer) -> StepTimes.Work, _ seconds: (Layer) -> Double) -> String {
            layers.contains { work($0).calls > 0 } ? short(sum(seconds) * 1e3) : ""
        }
        let seconds = sum(\.seconds.median), speed = sum(\.productFlops) / seconds * 1e-9, peak = machine.peak.median
        return [
            name, time(\.work.forward, \.forward.median), time(\.work.backward, \.backward.median), short(seconds * 1e3), percent(seconds / sumOfParts),
            speed > 0 ? short(speed) : "", speed > 0 && peak > 0 ? percent(speed / peak) : "", spread,
        ]
    }

    private func text(_ bound: Bound) -> String {
        let products = "products at \(percent(Bound.productShare)) of the peak \(short(bound.products * 1e3))", fused = "functions in them \(short(bound.fused * 1e3))"
        let update = besideBytes > 0 ? ", \(counted(besideBytes))B of the update beside products \(short(bound.update * 1e3))" : ""
        let others = "\(counted(work.bytes - besideBytes))B of the other calls at \(short(machine.bandwidth.median)) GB/s \(short(bound.others * 1e3))\(update)"
        return "\(short(bound.seconds * 1e3)) ms (\(products), \(fused), \(others)); the step takes \(short(seconds.median / bound.seconds)) times that"
    }

    private var facts: [String] {
        let peak = machine.peak, rate = String(format: "%.0f", samplesPerSecond)
        let speed = peak.median > 0
            ? "\(short(gflops)) GFLOP/s in products, \(percent(ofPeak)) of the peak of \(short(peak.median)) (spread \(percent(peak.spread)))"
            : "\(short(gflops)) GFLOP/s in products; this processor has no fused multiply-add"
        let flops = "\(counted(forwardFlops)) forward, \(counted(backwardFlops)) backward, \(counted(work.elementwiseFlops)) elementwise"
        let bound = bound.map { ["bound: \(text($0))"] } ?? []
        let barrier = machine.barrier.map { "; a barrier of theirs takes \(short($0.median * 1e6)) µs" } ?? ""
        let scaling = ofOneThread.map { ["threads: ×\(short($0.median / seconds.median)) with \(subject.threads), \(short($0.median * 1e3)) ms with 1" + barrier] } ?? []
        return [
            "step: \(short(milliseconds)) ms (spread \(percent(seconds.spread))), \(rate) samples/s on \(Fathom.Kernels.instructionSet), "
                + (subject.threads == 1 ? "1 thread" : "\(subject.threads) threads"),
            "speed: \(speed)", "flops: \(flops)",
        ] + bound + scaling + (subject.uninstrumented == nil ? [] : ["instruments: \(percent(instrumentsShare)) of the step, against steps without them in the same rounds"]) + ["noise: \(noise.verdict)"]
    }
}

extension StepMeasurement.Layer {
    fileprivate var json: JSON {
        [
            "name": .string(name), "forward_ms": rounded(forward.median * 1e3), "backward_ms": rounded(backward.median * 1e3),
            "forward_spread": rounded(forward.spread), "backward_spread": rounded(backward.spread), "flops": .number(productFlops),
        ]
    }
}

