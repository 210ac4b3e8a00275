@testable import FathomProfiler
import Foundation
import Testing

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
        #expect(Distribution([7]).spread == 0 && Distribution([]).median == 0)
    }

    @Test func everyKernelIsMeasured() {
        let groups = Subject.groups(Operation.all, [Shape(8, 8, 8)])
        let names = Set(groups.joined().map(\.operation.name))
        #expect(names == Set(Operation.all.map(\.name)))
        #expect(groups.joined().filter { $0.operation.name == "activation_backward" }.count == 11, "all but identity")
    }

    @Test func aLineOfJSONHasWhatTheContractPromises() throws {
        let run = try profiler(
            ["kernels", "--kernel", "gemm_forward", "adam", "--shape", "9x20x33", "--seconds", "0.02", "--threads", "1", "--json"])
        #expect(run.status == 0)
        let lines = try objects(run.output)
        #expect(lines.map { $0["kernel"] as? String } == ["gemm_forward", "adam"])
        #expect(lines.first?["shape"] as? [String: Int] == ["rows": 9, "inputs": 20, "outputs": 33])
        for key in ["threads", "microseconds", "gflops", "peak_gflops", "gigabytes_per_second", "bandwidth"] {
            #expect(try #require(lines.first?[key] as? Double) > 0 || key == "peak_gflops", "\(key)")
        }
        #expect(lines.allSatisfy { $0["isa"] is String && $0["of_peak"] != nil })
        #expect(lines.first?["flops"] as? Double == 11_880, "2·9·20·33")
        #expect(lines.last?["gflops"] as? Double ?? 0 > 0, "elementwise flops count too")
        #expect(lines.allSatisfy { $0["scaling"] is NSNull }, "of one thread there is none")
    }

    @Test func twoThreadsAreComparedWithOne() throws {
        let run = try profiler(["kernels", "--kernel", "gemm_forward", "--shape", "64x64x64", "--seconds", "0.02", "--threads", "2", "--json"])
        let line = try #require(try objects(run.output).first)
        let (one, two) = (try #require(line["one_thread_microseconds"] as? Double), try #require(line["microseconds"] as? Double))
        #expect(abs(try #require(line["scaling"] as? Double) / (one / two) - 1) < 0.01)
        let table = try profiler(["kernels", "--kernel", "gemm_forward", "--shape", "64x64x64", "--seconds", "0.02", "--threads", "2"])
        #expect(table.output.hasPrefix("kernel") && table.output.prefix { $0 != "\n" }.contains("×2"))
    }

    @Test func aRooflineFitsItsWidthAndNamesEveryKernel() {
        for width in [20, 40, 60, 79, 80, 200] {
            let marks = Operation.all.enumerated().map { Roofline.Mark(name: $1.name, flopsPerByte: exp2(Double($0 % 12) - 4), gflops: Double(1 + $0 * $0)) }
            let text = Roofline(marks: marks, peak: 200, bandwidth: 20).text(width: width)
            #expect((text == nil) == (width < Roofline.narrowest))
            #expect(text?.split(separator: "\n").allSatisfy { $0.count <= width && !$0.contains("\u{1B}") } ?? true)
            for mark in marks { #expect(text?.contains(" " + mark.name) ?? true) }
        }
        #expect(Roofline(marks: [], peak: 200, bandwidth: 20).text(width: 80) == nil)
        #expect(Roofline(marks: [.init(name: "add", flopsPerByte: 0.2, gflops: 1)], peak: 0, bandwidth: 20).text(width: 80) == nil)
    }

    /// A kernel at the peak stands on its line, one that the memory holds back on the slope, a slower one below.
    @Test func marksStandUnderTheirRoofs() throws {
        let marks = [("product", 128.0, 128.0), ("add", 0.25, 4.0), ("slow", 0.25, 1.0)].map { Roofline.Mark(name: $0.0, flopsPerByte: $0.1, gflops: $0.2) }
        let text = try #require(Roofline(marks: marks, peak: 128, bandwidth: 16).text(width: 80))
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).filter { $0.contains("|") || $0.contains("+") }.map(String.init)
        let product = try #require(lines.firstIndex { $0.contains("a") }), add = try #require(lines.firstIndex { $0.contains("b") })
        let slow = try #require(lines.firstIndex { $0.contains("c") })
        #expect(lines[product].contains("-a-"))
        #expect(lines[add].contains("/b") || lines[add].contains("b/"))
        #expect(product < add && add < slow && !lines[slow].contains("/"))
        for entry in ["a product", "b add", "c slow", "- peak", "/ bandwidth"] { #expect(text.contains(entry)) }
    }

    @Test func aVerdictSaysWhetherToTrust() {
        #expect(Noise(spread: 0.4, peak: 200, ofOne: 100, 2).verdict.hasPrefix("spread 40 %: do not trust"))
        #expect(!Noise(spread: 0.4, peak: 200, ofOne: 100, 2).isTrusted)
        #expect(Noise(spread: 0.03, peak: 200, ofOne: 100, 2).isTrusted)
        #expect(Noise(spread: 0.03, peak: 0, ofOne: 0, 2).isTrusted, "a processor without fused multiply-adds has no peak")
        let taken = Noise(spread: 0.03, peak: 110, ofOne: 100, 2)
        #expect(!taken.isTrusted && taken.verdict.contains("1.1 times") && taken.verdict.contains("do not trust"))
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
        (["--bogus"], "--bogus"), (["--seconds", "-1"], "above 0"), (["--threads", "-1"], "1 to 1024, not -1"), (["--shape", "-8x8x8"], "not '-8x8x8'"),
        (["--shape", "8x8x8", "-8x8x8", "--json"], "not '-8x8x8'"), (["--shape", "--json"], "Missing value for '--shape"), (["--kernel", "-1"], "unknown kernel '-1'"),
    ])
    func aMistakeIsOneSentenceWithStatus64(arguments: [String], sentence: String) throws {
        let run = try profiler(["kernels"] + arguments)
        #expect(run.status == 64)
        #expect(run.output.isEmpty && run.errors.contains(sentence))
        #expect(run.errors.split(separator: "\n").count == 1)
    }
}
