import ArgumentParser
import CKernels
import Fathom
import FathomCommandLine
import Foundation

/// rows × inputs × outputs of a product.
struct Shape: ExpressibleByArgument, Equatable {
    let rows: Int, inputs: Int, outputs: Int

    init(_ rows: Int, _ inputs: Int, _ outputs: Int) { (self.rows, self.inputs, self.outputs) = (rows, inputs, outputs) }

    init?(argument: String) {
        let parts = argument.split(omittingEmptySubsequences: false) { $0 == "x" || $0 == "×" }.map { Int($0) }
        guard parts.count == 3, parts.allSatisfy({ $0.map { (1...1_000_000).contains($0) } ?? false }) else { return nil }
        self.init(parts[0]!, parts[1]!, parts[2]!)
    }

    /// What a product's three matrices hold.
    var productBytes: Int { 4 * (rows * inputs + inputs * outputs + rows * outputs) }
    /// The most that another kernel's hold: an lstm's four gates, their gradients and five more, or six of four steps.
    var otherBytes: Int { 4 * 24 * rows * ((outputs + 15) / 16 * 16) }

    /// Layers of common networks, from tiny to larger than the caches, awkward ones included.
    static let usual = [
        Shape(128, 784, 512), Shape(128, 512, 512), Shape(128, 512, 10), Shape(512, 1024, 1024), Shape(1024, 4096, 1024),
        Shape(256, 512, 512), Shape(64, 24, 24), Shape(32, 13, 256), Shape(32, 256, 256), Shape(256, 128, 128), Shape(1, 1024, 1024),
        Shape(4096, 256, 256), Shape(100, 300, 77),
    ]

    /// The one on which kernels of a single matrix are measured: 16 MiB, beyond most caches.
    static let large = Shape(4096, 1024, 1024)
}

struct KernelsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kernels",
        abstract: "Throughput of every kernel, against the machine's peak measured in the same run.",
        discussion: """
            Products are measured in GFLOP/s and as a share of the peak of fused multiply-adds, the others in GB/s and as a share of \
            the memory's bandwidth (above 100 % where the caches hold the data). Peak and bandwidth are measured again in every round. \
            dgrad turns the weights itself. Figures are medians over rounds; the spread is that of the middle half. The column \
            ×2 is how many times as fast two threads are as one.

            Below the table, kernels stand under the machine's roofs, by how many flops they do to a byte that they read or write. Above the slope \
            the data come from the caches.
            """)

    @Option(parsing: .unconditional, help: "Threads; all processors where not given.")
    var threads: Int?

    @Option(parsing: .upToNextOption, help: ArgumentHelp(
        "Shapes of products; other kernels take rows × outputs of them. A list of common layers where not given.",
        valueName: "ROWSxINPUTSxOUTPUTS"))
    var shape: [String] = []

    @Option(parsing: .upToNextOption, help: ArgumentHelp("Kernels, as --json names them; all where not given.", valueName: "NAME"))
    var kernel: [String] = []

    @Option(help: ArgumentHelp("Instruction set; the best that this processor has where not given.", valueName: "NAME"))
    var isa: String?

    @Option(parsing: .unconditional, help: "Seconds to measure for, roughly.")
    var seconds: Double = 20

    @Flag(help: "Print one JSON object per kernel and shape.")
    var json = false

    private var shapes: [Shape] { shape.compactMap(Shape.init(argument:)) }

    func validate() throws {
        if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads takes a number from 1 to 1024, not \(threads)") }
        guard seconds.isFinite, seconds > 0, seconds <= 86_400 else { throw ValidationError("--seconds takes a number above 0, up to 86400") }
        for text in shape {
            guard let shape = Shape(argument: text) else {
                throw ValidationError("--shape takes ROWSxINPUTSxOUTPUTS, such as 128x784x512, each from 1 to 1000000, not '\(text)'")
            }
            let bytes = bytes(of: shape)
            guard bytes < availableMemory() / 2 else {
                let size = formattedBytes(bytes)
                throw ValidationError("--shape \(text) needs \(size), more than half of the memory that is free; --kernel measures some kernels alone")
            }
        }
        let names = Operation.all.map(\.name)
        for name in kernel where !names.contains(name) {
            throw ValidationError("unknown kernel '\(name)'; \(Vocabulary(kind: "kernel", names: names).remedy(for: name))")
        }
    }

    private var operations: [Operation] { Operation.all.filter { kernel.isEmpty || kernel.contains($0.name) } }

    /// Of the matrices measured at a time.
    private func bytes(of shape: Shape) -> Int {
        let operations = operations
        return max(
            operations.contains(where: \.isProduct) ? 3 * shape.productBytes : 0,
            operations.contains { !$0.isProduct } ? Subject.mostTogether * shape.otherBytes : 0)
    }

    func run() throws {
        if let isa { setenv("FATHOM_ISA", isa, 1) }
        guard fathom_isa_override_is_valid() else {
            let names = Fathom.Kernels.instructionSets
            let name = isa ?? ProcessInfo.processInfo.environment["FATHOM_ISA"] ?? ""
            throw ValidationError("no instruction set '\(name)' on this processor; it has \(names.joined(separator: ", "))")
        }
        let groups = Subject.groups(operations, shapes)
        let threads = threads ?? Int(fathom_threads_available())
        let meter = Meter(threads: threads, secondsPerSubject: seconds / Double(max(1, groups.reduce(0) { $0 + $1.count })))
        let width = Terminal.width(of: STDOUT_FILENO) ?? 80
        var report: any Report = json ? JSONReport(threads: threads) : TableReport(threads: threads, width: width)
        try report.begin()
        for group in groups { try report.add(meter.measure(group)) }
        try report.end(meter)
    }
}
