import CKernels
import FathomFormats
import Foundation

/// Where measurements go as they are made.
protocol Report {
    func begin() throws
    func add(_ measurements: [Measurement]) throws
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
        for m in measurements {
            let shape = m.subject.shape, isProduct = m.subject.operation.isProduct
            var members: [JSON.Member] = [.init("kernel", .string(m.subject.operation.name))]
            if let activation = m.subject.activation { members.append(.init("activation", .string(activation.name))) }
            members += [
                .init("shape", isProduct ? ["rows": .integer(shape.rows), "inputs": .integer(shape.inputs), "outputs": .integer(shape.outputs)]
                    : ["rows": .integer(shape.rows), "columns": .integer(shape.outputs)]),
                .init("threads", .integer(threads)), .init("isa", .string(chosenInstructionSet())),
                .init("microseconds", rounded(m.seconds.median * 1e6)), .init("spread", rounded(m.seconds.spread)),
                .init("gflops", isProduct ? rounded(m.gflops) : .null), .init("peak_gflops", rounded(m.peak.median)),
                .init("of_peak", isProduct && m.peak.median > 0 ? rounded(m.ofPeak) : .null),
                .init("gigabytes_per_second", m.bytes > 0 ? rounded(m.gigabytesPerSecond) : .null), .init("bandwidth", rounded(m.bandwidth.median)),
                .init("of_bandwidth", m.bytes > 0 ? rounded(m.ofBandwidth) : .null),
            ]
            try result(JSON.object(members).line)
        }
    }

    func end(_ meter: Meter) { if let verdict = meter.verdict { note(verdict) } }

    /// To four digits: more would be noise.
    private func rounded(_ value: Double) -> JSON { .number(Double(String(format: "%.4g", value)) ?? value) }
}

/// A table that fits a terminal; narrower ones lose columns from the least needed.
struct TableReport: Report {
    let threads: Int
    private let columns: [Column]

    private struct Column {
        let title: String, width: Int, alignsLeft: Bool
        let text: (Measurement) -> String
    }

    init(threads: Int, width: Int = terminalWidth()) {
        self.threads = threads
        let name = Column(title: "kernel", width: 22, alignsLeft: true, text: Self.name)
        let shape = Column(title: "shape", width: 15, alignsLeft: true, text: Self.shape)
        let time = Column(title: "µs", width: 11, alignsLeft: false) { Self.short($0.seconds.median * 1e6) }
        let speed = Column(title: "speed", width: 16, alignsLeft: false) {
            if $0.subject.operation.isProduct { return "\(Self.short($0.gflops)) GFLOP/s" }
            return $0.bytes > 0 ? "\(Self.short($0.gigabytesPerSecond)) GB/s   " : ""  // clip's work is a few numbers
        }
        let share = Column(title: "share", width: 8, alignsLeft: false) {
            $0.bytes > 0 ? percent($0.subject.operation.isProduct ? $0.ofPeak : $0.ofBandwidth) : ""
        }
        let spread = Column(title: "spread", width: 8, alignsLeft: false) { percent($0.seconds.spread) }
        let choices = [[name, shape, time, speed, share, spread], [name, shape, time, speed, share], [name, shape, speed, share],
                       [name, speed, share], [name, speed]]
        columns = choices.first { $0.reduce(0) { $0 + $1.width } <= width } ?? [name, speed]
    }

    func begin() throws { try result(row { $0.title }) }

    func add(_ measurements: [Measurement]) throws {
        for m in measurements { try result(row { $0.text(m) }) }
    }

    func end(_ meter: Meter) throws {
        let peak = Distribution(meter.peaks).median, bandwidth = Distribution(meter.bandwidths).median
        let fma = peak > 0 ? "multiply-adds \(Self.short(peak)) GFLOP/s" : "no fused multiply-add"
        try result("machine: \(chosenInstructionSet()), \(threads) \(threads == 1 ? "thread" : "threads"), \(fma), memory \(Self.short(bandwidth)) GB/s")
        if let verdict = meter.verdict { try result(verdict) }
    }

    private func row(_ text: (Column) -> String) -> String {
        let line = columns.map { column in
            let cell = text(column), space = String(repeating: " ", count: max(0, column.width - cell.count))
            return column.alignsLeft ? cell + space : space + cell
        }.joined()
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    private static func name(_ m: Measurement) -> String {
        guard let activation = m.subject.activation else { return m.subject.operation.name }
        return "\(activation.name) \(m.subject.operation.raw == FATHOM_ACTIVATION_FORWARD ? "forward" : "backward")"
    }

    private static func shape(_ m: Measurement) -> String {
        let s = m.subject.shape
        return m.subject.operation.isProduct ? "\(s.rows)×\(s.inputs)×\(s.outputs)" : "\(s.rows)×\(s.outputs)"
    }

    private static func short(_ value: Double) -> String { String(format: value < 10 ? "%.2f" : "%.1f", value) }
}

/// Columns of the terminal that reads standard output; 80 where none does.
private func terminalWidth() -> Int {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
}
