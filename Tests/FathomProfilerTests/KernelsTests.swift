@testable import FathomProfiler
import Foundation
import Testing

/// The built `fathom-profiler`, which lies beside the test bundle.
private let binary: URL = {
    let places = [Bundle.main.executableURL].compactMap(\.self) + CommandLine.arguments.map { URL(filePath: $0) }
    let folders = places.flatMap { place in (1...3).map { up in (0..<up).reduce(place) { url, _ in url.deletingLastPathComponent() } } }
    return folders.map { $0.appending(path: "fathom-profiler") }.first { FileManager.default.isExecutableFile(atPath: $0.path) }
        ?? URL(filePath: "fathom-profiler")
}()

private func profiler(_ arguments: [String]) throws -> (status: Int32, output: String, errors: String) {
    let process = Process(), output = Pipe(), errors = Pipe()
    (process.executableURL, process.arguments, process.standardOutput, process.standardError) = (binary, arguments, output, errors)
    try process.run()
    let text = try output.fileHandleForReading.readToEnd() ?? Data(), complaint = try errors.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: text, as: UTF8.self), String(decoding: complaint, as: UTF8.self))
}

@Suite struct KernelsTests {
    @Test func aShapeIsThreeSizes() {
        #expect(Shape(argument: "128x784x512") == Shape(128, 784, 512))
        #expect(Shape(argument: "1×2×3") == Shape(1, 2, 3))
        for text in ["", "1x2", "1x2x3x4", "0x1x1", "-1x1x1", "1xx1", "ax1x1", "1x1x1000001", "1x1x99999999999999999999"] {
            #expect(Shape(argument: text) == nil, "\(text)")
        }
    }

    @Test func theSpreadIsThatOfTheMiddleHalf() {
        let odd = Distribution([3, 1, 2, 100, 4]), even = Distribution([4, 1, 3, 2])
        #expect(odd.median == 3 && odd.spread == (4 - 2) / 3.0)
        #expect(even.median == 2.5)
        #expect(Distribution([7]).spread == 0)
    }

    @Test func everyKernelIsMeasured() {
        let groups = Subject.groups(Operation.all, [Shape(8, 8, 8)])
        let names = Set(groups.joined().map(\.operation.name))
        #expect(names == Set(Operation.all.map(\.name)))
        #expect(groups.joined().filter { $0.operation.name == "activation_backward" }.count == 11, "all but identity")
    }

    @Test func theGradientToTheInputIncludesItsTransposition() {
        let dgrad = Workload(Subject(operation: Operation.all[1], shape: Shape(4, 20, 30), activation: nil))
        #expect(dgrad.calls.map { Operation(raw: $0.operation).name } == ["transpose", "gemm_dgrad"])
        #expect(dgrad.calls[0].arguments.transpose.t == UnsafeMutablePointer(mutating: dgrad.calls[1].arguments.gemm_dgrad.wt))
        #expect(dgrad.flops == 2 * 4 * 20 * 30, "the product's alone")
    }

    @Test func aLineOfJSONHasWhatTheContractPromises() throws {
        let run = try profiler(
            ["kernels", "--kernel", "gemm_forward", "adam", "--shape", "9x20x33", "--seconds", "0.02", "--threads", "1", "--json"])
        #expect(run.status == 0)
        let lines = try run.output.split(separator: "\n").map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:] }
        #expect(lines.map { $0["kernel"] as? String } == ["gemm_forward", "adam"])
        #expect(lines.first?["shape"] as? [String: Int] == ["rows": 9, "inputs": 20, "outputs": 33])
        for key in ["threads", "microseconds", "gflops", "peak_gflops", "gigabytes_per_second", "bandwidth"] {
            #expect(try #require(lines.first?[key] as? Double) > 0 || key == "peak_gflops", "\(key)")
        }
        #expect(lines.allSatisfy { $0["isa"] is String && $0["of_peak"] != nil })
    }

    @Test func aTableFitsEightyColumns() throws {
        let run = try profiler(["kernels", "--kernel", "gemm_wgrad", "softmax_cross_entropy", "--shape", "9x20x33", "--seconds", "0.02"])
        #expect(run.status == 0)
        let rows = run.output.split(separator: "\n").prefix(3)
        #expect(rows.count == 3 && rows.allSatisfy { $0.count <= 80 })
        #expect(rows.last?.hasPrefix("softmax_cross_entropy ") ?? false)
    }

    @Test(arguments: [
        (["--shape", "12x"], "ROWSxINPUTSxOUTPUTS"), (["--shape", "1000000x1000000x1"], "memory"), (["--threads", "0"], "1 to 1024"),
        (["--kernel", "gemm_forwrd"], "did you mean 'gemm_forward'?"), (["--isa", "sse9"], "reference"), (["--seconds", "0"], "above 0"),
        (["--bogus"], "--bogus"),
    ])
    func aMistakeIsOneSentenceWithStatus64(arguments: [String], sentence: String) throws {
        let run = try profiler(["kernels"] + arguments)
        #expect(run.status == 64)
        #expect(run.output.isEmpty && run.errors.contains(sentence))
        #expect(run.errors.split(separator: "\n").count == 1)
    }
}
