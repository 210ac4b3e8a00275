@testable import FathomProfiler
import FathomFormats
import Foundation
import Testing

/// A small network on inputs made up, measured for a moment.
private let small = ["step", "--network", "[linear(8) relu] * 2 linear(3)", "--inputs", "5", "--batch", "4", "--seconds", "0.05"]

@Suite struct StepTests {
    @Test func oneThreadMeetsNobody() throws {
        let line = try #require(try objects(try profiler(small + ["--threads", "1", "--json"]).output).first)
        #expect(line["barrier_us"] is NSNull && line["one_thread_ms"] is NSNull)
    }

    @Test func aLineOfJSONHasWhatTheContractPromises() throws {
        let run = try profiler(small + ["--threads", "2", "--clip", "norm(1)", "--json"])
        #expect(run.status == 0, "\(run.errors)")
        let lines = try objects(run.output), line = try #require(lines.first)
        #expect(lines.count == 1 && line["event"] as? String == "step" && line["threads"] as? Int == 2 && line["batch"] as? Int == 4)
        for key in ["milliseconds", "samples_per_second", "gflops", "optimizer_ms", "loss_ms", "clipping_ms", "gather_ms", "one_thread_ms", "scaling", "barrier_us"] {
            #expect(line[key] as? Double ?? 0 > 0, "\(key)")
        }
        // Relu's outputs are told of on the way back, the network's by the loss: nothing has a call of its own.
        #expect(line["instruments_ms"] as? Double == 0)
        // A difference, which a busy machine can make anything of.
        #expect((line["instruments_share"] as? Double).map { $0 < 1 } == true)
        #expect(line["of_peak"] != nil && line["spread"] is Double && line["trusted"] is Bool && line["noise"] is String)
        // Products at 92 % of the peak, and more; no processor without fused multiply-adds has a peak.
        let peak = try #require(line["peak_gflops"] as? Double)
        if peak > 0 { #expect(line["bound_ms"] as? Double ?? 0 > 2752e-6 / (0.92 * peak)) }
        #expect(line["bandwidth_gbs"] as? Double ?? 0 > 0)
        let layers = try #require(line["layers"] as? [[String: Any]])
        #expect(layers.map { $0["name"] as? String } == ["0.linear", "2.linear", "4.linear"])
        #expect(layers.allSatisfy { $0["forward_ms"] as? Double ?? 0 > 0 && $0["backward_ms"] as? Double ?? 0 > 0 && $0["forward_spread"] is Double })
        // 2·4·5·8, 2·4·8·8 and 2·4·8·3 forward; the first layer's gradient goes to its weights alone.
        let flopsOfLayers = layers.compactMap { $0["flops"] as? Double }
        #expect(flopsOfLayers == [640, 1536, 576])
        let flops = try #require(line["flops"] as? [String: Double])
        #expect(flops["forward"] == 1024)
        #expect(flops["backward"] == 1728)
        let (rate, time) = (try #require(line["samples_per_second"] as? Double), try #require(line["milliseconds"] as? Double))
        #expect(abs(rate * time / 4000 - 1) < 0.01)
    }

    @Test func aTableFitsEightyColumnsAndNamesEveryPart() throws {
        let run = try profiler(small)
        #expect(run.status == 0 && !run.output.contains("\u{1B}"))
        #expect(run.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
        for part in ["gather", "0.linear", "2.linear", "4.linear", "loss", "clipping", "optimizer", "other", "step:", "speed:", "flops:", "noise:"] {
            #expect(run.output.contains("\n" + part), "\(part)")
        }
        #expect(run.errors.contains("4 rows"))
    }

    @Test func aTableFitsEveryWidthAndSumsUpTheMiddleOfADeepNetwork() throws {
        var settings = Settings()
        for (key, text) in [(RecipeKey.network, "[linear(4) tanh] * 60 linear(3)"), (.batch, "4")] { settings.set(key, flag: text) }
        var meter = try StepMeter(StepSubject(settings, name: nil, inputs: 5, threads: 1))
        let measured = try meter.measure(seconds: 0.02)
        #expect(measured.layers.count == 61)
        for width in [16, 20, 40, 60, 80, 200] {
            let lines = measured.text(width: width).split(separator: "\n")
            #expect(lines.allSatisfy { $0.count <= width }, "\(width)")
            #expect(lines.contains { $0.hasPrefix("… 22 more") } && lines.contains { $0.hasPrefix("120.linear") })
        }
        let sum = measured.layers.reduce(0) { $0 + $1.productFlops }
        #expect(sum == measured.forwardFlops + measured.backwardFlops && sum == meter.work.productFlops)
    }

    /// As many threads as asked for, unless it may choose, as a training does.
    @Test(arguments: [false, true]) func onlyWhereAskedAreFewerThreadsTried(_ adapts: Bool) throws {
        var settings = Settings()
        settings.set(.network, flag: "linear(4) tanh linear(3)")
        let subject = try StepSubject(settings, name: nil, inputs: 5, threads: 2, adapts: adapts)
        #expect(subject.trainer.adaptsThreads == adapts && subject.uninstrumented?.adaptsThreads == adapts)
        let run = try profiler(small + ["--serve"] + (adapts ? ["--adapt"] : []))
        #expect(run.status == 0 && run.output == "READY\n")
    }

    /// READY, then a line for each go; anything else, or nothing more, ends it.
    @Test(arguments: ["stop\n", ""]) func servingTakesTurns(_ end: String) throws {
        let process = Process(), input = Pipe(), output = Pipe()
        (process.executableURL, process.standardInput, process.standardOutput, process.standardError) = (profilerBinary, input, output, FileHandle.nullDevice)
        process.arguments = small + ["--serve", "--threads", "1"]
        try process.run()
        let lines = Lines(output.fileHandleForReading)
        #expect(lines.next() == "READY")
        for _ in 0..<2 {
            try input.fileHandleForWriting.write(contentsOf: Data("go\n".utf8))
            let line = try #require(try objects(lines.next() ?? "").first)
            #expect(line["event"] as? String == "step" && line["bench"] as? String == "step" && line["threads"] as? Int == 1)
            for key in ["ms", "milliseconds", "samples_s", "samples_per_second", "gflops"] { #expect(line[key] as? Double ?? 0 > 0, "\(key)") }
        }
        try input.fileHandleForWriting.write(contentsOf: Data(end.utf8))
        if end.isEmpty { try input.fileHandleForWriting.close() }
        #expect(lines.next() == nil)
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test(arguments: [
        ["--network", "linear(2)", "--loss", "mse"], ["--network", "linear(3)", "--loss", "binary-cross-entropy"], ["--network", "linear(1)"],
        ["--network", "sequence(2) rnn(4) last linear(3)"], ["--network", "sequence(2) lstm(4) linear(3)"], ["--network", "linear(4) linear(3)", "--accumulate", "2"],
        ["--network", "linear(3)", "--loss", "cross-entropy(weights: balanced)", "--batch", "64"], ["--network", "linear(3)", "--clip", "percentile(10)"],
        ["--network", "linear(3)", "--clip", "none", "--ema", "0.99", "--test", "0.5", "--validation", "0.2", "--patience", "3", "--epochs", "7"],
    ]) func targetsAreMadeUpForEveryLoss(_ flags: [String]) throws {
        let run = try profiler(["step", "--inputs", "6", "--batch", "4", "--seconds", "0.02", "--json"] + flags)
        #expect(run.status == 0, "\(run.errors)")
        #expect(try objects(run.output).count == 1)
    }

    @Test func aRecipeIsReadAndAFlagWins() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "fathom-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let recipe = folder.appending(path: "W0.yaml")
        try Data("data: digits\nnetwork: linear(7) tanh linear(outputs)\nbatch: 32\n".utf8).write(to: recipe)
        let line = try #require(try objects(profiler(["step", recipe.path, "--batch", "16", "--seconds", "0.02", "--json"]).output).first)
        #expect(line["network"] as? String == "linear(7) tanh linear(10)" && line["inputs"] as? Int == 64 && line["batch"] as? Int == 16)
        // Without its data.
        let madeUp = try profiler(["step", recipe.path, "--inputs", "20", "--network", "linear(4)", "--seconds", "0.02", "--json"])
        #expect(try objects(madeUp.output).first?["inputs"] as? Int == 20, "\(madeUp.errors)")
    }

    @Test(arguments: [
        ([], 64, "say what to profile"), (["--network", "linear(2)"], 64, "--inputs 784"), (["--inputs", "0"], 64, "whole number from 1"),
        (["--inputs", "ten"], 64, "'ten'"), (["--seconds", "never"], 64, "above 0"), (["--serve", "--json"], 64, "leave --json out"),
        (["--inputs", "3", "--data", "digits"], 64, "one of both"), (["--networks", "x"], 64, "did you mean '--network'?"), (["--lr", "1"], 64, "'--optimizer'"),
        (["--network", "lnear(2)", "--inputs", "3"], 65, "did you mean 'linear'?"), (["--network", "linear(outputs)", "--inputs", "3"], 65, "give it a number"),
        (["--network", "linear(2)", "--inputs", "3", "--threads", "0"], 65, "1 to 1024"), (["no-such.yaml"], 66, "no-such.yaml"),
        (["--data", "no-such.csv"], 66, "no-such.csv"), (["--network", "linear(2)", "--inputs", "90000000"], 65, "16777216"),
        (["--network", "linear(2)", "--inputs", "9000000", "--batch", "2000000000"], 65, "memory"),
        (["--network", "linear(2)", "--inputs", "3", "--loss", "huber(-1)"], 65, "huber"),
    ]) func aMistakeIsOneSentenceWithItsStatus(arguments: [String], status: Int32, sentence: String) throws {
        let run = try profiler(["step"] + arguments)
        #expect(run.status == status, "\(run.errors)")
        #expect(run.output.isEmpty && run.errors.contains(sentence), "\(run.errors)")
    }

    @Test func aTrainingThatLeavesTheNumbersEndsWithStatus71() throws {
        let run = try profiler(["step", "--network", "[linear(16, init: normal(1e15))] * 4", "--inputs", "16", "--batch", "4", "--loss", "mse"])
        #expect(run.status == 71 && run.errors.contains("not finite"), "\(run.status) \(run.errors)")
    }
}

/// The lines that a pipe brings, as they come.
private final class Lines {
    private let handle: FileHandle
    private var rest = Data()

    init(_ handle: FileHandle) { self.handle = handle }

    /// nil at the end.
    func next() -> String? {
        while true {
            if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                defer { rest = Data(rest[(end + 1)...]) }
                return String(decoding: rest[..<end], as: UTF8.self)
            }
            let more = handle.availableData
            if more.isEmpty { return nil }
            rest.append(more)
        }
    }
}
