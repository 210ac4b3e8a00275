import CKernels
import FathomCommandLine
import FathomFormats

/// Where measurements go as they are made.
protocol Report {
    func begin() throws
    mutating func add(_ measurements: [Measurement]) throws
    func end(_ meter: Meter) throws
}

private func chosenInstructionSet() -> String { String(cString: fathom_kernels().pointee.isa) }
extension fathom_activation {
    fileprivate var name: String { String(cString: fathom_activation_name(self)) }
}

/// A line for each kernel and shape.
struct JSONReport: Report {
    let threads: Int

    func begin() {}

    func add(_ measurements: [Measurement]) throws {
        for m in measurements { try StandardStreams.result(JSON.object(members(m)).line + "\n") }
    }

    private func members(_ m: Measurement) -> [JSON.Member] {
        let shape = m.subject.shape
        var members: [JSON.Member] = [.init("kernel", .string(m.subject.operation.name))]
        if let activation = m.subject.activation { members.append(.init("activation", .string(activation.name))) }
        return members + [
            .init("shape", m.subject.operation.isProduct
                ? ["rows": .integer(shape.rows), "inputs": .integer(shape.inputs), "outputs": .integer(shape.outputs)]
                : ["rows": .integer(shape.rows), "columns": .integer(shape.outputs)]),
            .init("threads", .integer(threads)), .init("isa", .string(chosenInstructionSet())),
            .init("microseconds", rounded(m.seconds.median * 1e6)), .init("spread", rounded(m.seconds.spread)),
            .init("one_thread_microseconds", m.ofOneThread.map { rounded($0.median * 1e6) } ?? .null), .init("scaling", m.scaling.map(rounded) ?? .null),
            .init("flops", .number(m.flops)), .init("bytes", .number(m.bytes)), .init("gflops", m.flops > 0 ? rounded(m.gflops) : .null),
            .init("peak_gflops", rounded(m.peak.median)), .init("of_peak", m.flops > 0 && m.peak.median > 0 ? rounded(m.ofPeak) : .null),
            .init("gigabytes_per_second", m.bytes > 0 ? rounded(m.gigabytesPerSecond) : .null), .init("bandwidth", rounded(m.bandwidth.median)),
            .init("of_bandwidth", m.bytes > 0 ? rounded(m.ofBandwidth) : .null),
        ]
    }

    func end(_ meter: Meter) { if !meter.noise.isTrusted { StandardStreams.note("noise: \(meter.noise.verdict)") } }
}

/// To four digits: more would be noise.
func rounded(_ value: Double) -> JSON { .number(Double(String(format: "%.4g", value)) ?? value) }

/// A table that fits a terminal, and the roofline under it; a narrow one loses columns from the least needed, a very narrow one has a line for each figure.
struct TableReport: Report {
    private let threads: Int, width: Int
    private let columns: [Column]
    private var marks: [Roofline.Mark] = []

    private struct Column {
        let title: String, width: Int
        var alignsLeft = false
        let text: (Measurement) -> String
    }

    init(threads: Int, width: Int) {
        (self.threads, self.width) = (threads, width)
        let name = Column(title: "kernel", width: 22, alignsLeft: true, text: Self.name)
        let shape = Column(title: "shape", width: 15, alignsLeft: true, text: Self.shape)
        let time = Column(title: "µs", width: 9) { short($0.seconds.median * 1e6) }
        let speed = Column(title: "speed", width: 14) {
            if $0.subject.operation.isProduct { return "\(short($0.gflops)) GFLOP/s" }
            return $0.bytes > 0 ? "\(short($0.gigabytesPerSecond)) GB/s   " : ""  // clip's work is a few numbers
        }
        let share = Column(title: "share", width: 7) { $0.bytes > 0 ? percent($0.subject.operation.isProduct ? $0.ofPeak : $0.ofBandwidth) : "" }
        let scaling = threads > 1 ? [Column(title: "×\(threads)", width: 6) { $0.scaling.map { String(format: "%.2f", $0) } ?? "" }] : []
        let spread = Column(title: "spread", width: 7) { percent($0.seconds.spread) }
        let all = [name, shape, time, speed, share] + scaling + [spread]
        let choices = [all, [name, shape, speed, share] + scaling, [name, speed, share] + scaling, [name, speed, share], [name, speed]]
        columns = choices.first { $0.reduce(0) { $0 + $1.width } <= width } ?? all
    }

    /// Whether not even the narrowest table fits.
    private var isStacked: Bool { columns.reduce(0) { $0 + $1.width } > width }

    func begin() throws { if !isStacked { try StandardStreams.result(row { $0.title }) } }

    mutating func add(_ measurements: [Measurement]) throws {
        for m in measurements {
            try StandardStreams.result(isStacked ? stacked(m) : row { $0.text(m) })
            if m.flops > 0, m.bytes > 0 { marks.append(.init(name: m.subject.operation.name, flopsPerByte: m.flops / m.bytes, gflops: m.gflops)) }
        }
    }

    func end(_ meter: Meter) throws {
        let peak = meter.machine.peak, bandwidth = meter.machine.bandwidth
        let fma = peak.median > 0 ? "multiply-adds \(short(peak.median)) GFLOP/s" : "no fused multiply-add"
        let barrier = meter.machine.barrier.map { ", a barrier \(short($0.median * 1e6)) µs" } ?? ""
        let machine = "machine: \(chosenInstructionSet()), \(threads) \(threads == 1 ? "thread" : "threads"), \(fma), memory \(short(bandwidth.median)) GB/s\(barrier)"
        let roofline = Roofline(marks: marks, peak: peak.median, bandwidth: bandwidth.median).text(width: width)
        try StandardStreams.result("\n" + (roofline.map { $0 + "\n" } ?? ""))
        for line in [machine, "noise: \(meter.noise.verdict)"] { try StandardStreams.result(wrapped(line, width: width, indent: "")) }
    }

    private func row(_ text: (Column) -> String) -> String {
        let line = columns.map { column in
            let cell = text(column), space = String(repeating: " ", count: max(0, column.width - cell.count))
            return column.alignsLeft ? cell + space : space + cell
        }.joined()
        return String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
    }

    private func stacked(_ m: Measurement) -> String {
        let cells = columns.map { ($0.title, $0.text(m)) }
        return Table(header: cells.map(\.0), rows: [cells.map(\.1)]).text(width: width)
    }

    private static func name(_ m: Measurement) -> String {
        guard let activation = m.subject.activation else { return m.subject.operation.name }
        return "\(activation.name) \(m.subject.operation.raw == FATHOM_ACTIVATION_FORWARD ? "forward" : "backward")"
    }

    private static func shape(_ m: Measurement) -> String {
        let s = m.subject.shape
        return m.subject.operation.isProduct ? "\(s.rows)×\(s.inputs)×\(s.outputs)" : "\(s.rows)×\(s.outputs)"
    }
}
