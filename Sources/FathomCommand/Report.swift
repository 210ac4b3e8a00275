import ArgumentParser
import Fathom
import FathomCommandLine
import FathomFormats

struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Draw what happened in a run, or in several side by side.",
        usage: "fathom report RUN… [--output FILE]",
        discussion: """
            Of one run, report.html in its folder, which every training leaves anyway, is made again. Of several, their curves lie over one \
            another, beside what their recipes differ in, in report.html here. The file asks for nothing outside itself. A run may be under way.
            """)

    @Argument(help: ArgumentHelp("Run folders.", valueName: "run")) var paths: [String]
    @Option(parsing: .unconditional, help: ArgumentHelp("Where to write; an older report there is replaced, another file is not.", valueName: "file"))
    var output: String?

    func validate() throws {
        try refuseFlagsAsValues([("output", output)])
        guard output != "" else { throw ValidationError("--output must name a file") }
    }

    func run() throws {
        let runs = try paths.map { try RunReport(RunFolder(existing: $0)) }
        let path: String
        if runs.count == 1 {
            path = try output ?? RunFolder(existing: paths[0]).report
            try runs[0].write(to: path)
        } else {
            path = output ?? "report.html"
            try ComparisonReport(runs).write(to: path)
        }
        try StandardStreams.result(path + "\n")
    }
}

extension RunFolder {
    /// Draws what happened, for a training that is over. Without the picture it is no less of a training, so what goes wrong is only said.
    /// - Parameters:
    ///   - history: where it is known already.
    ///   - threads: that it may be drawn on.
    func leaveReport(_ history: RunHistory? = nil, threads: Int = Kernels.threadsAvailable) {
        do { try Kernels.$threadLimit.withValue(threads) { try RunReport(self, history: history).write() } } catch {
            StandardStreams.note("fathom: the report was not written: \(error); make it again with: fathom report \(path)")
        }
    }
}
