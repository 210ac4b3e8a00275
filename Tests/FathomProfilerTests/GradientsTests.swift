import Fathom
import FathomFormats
@testable import FathomProfiler
import FathomStability
import Foundation
import Testing

/// A small network on inputs made up.
private let small = ["gradients", "--network", "[linear(8) tanh] * 6 linear(3)", "--inputs", "5", "--batch", "16"]

@Suite struct GradientsTests {
    static func measured(
        _ network: String, inputs: Int, batch: String = "16", loss: String? = nil, _ change: (inout GradientMeasurement.Request) -> Void = { _ in }
    ) throws -> GradientMeasurement {
        var arguments = ["--network", network, "--batch", batch, "--threads", "1"]
        if let loss { arguments += ["--loss", loss] }
        var request = GradientMeasurement.Request()
        change(&request)
        return try GradientMeasurement(GradientSubject(nil, .parse(arguments), inputs: String(inputs), samples: nil), request)
    }

    static func object(_ measured: GradientMeasurement) throws -> [String: Any] { try #require(try objects(measured.json.line).first) }

    // MARK: JSON

    @Test func theObjectHasWhatTheContractPromises() throws {
        let run = try profiler(small + ["--json"])
        #expect(run.status == 0, "\(run.errors)")
        let lines = try objects(run.output), object = try #require(lines.first)
        #expect(lines.count == 1)
        for key in ["network", "samples", "steps", "layers", "end_to_end", "lyapunov", "signal_rate", "signal_rate_standard_error", "mean_field", "verdict", "because", "advice"] {
            #expect(object[key] != nil, "\(key)")
        }
        #expect(object["network"] as? String == "[linear(8) tanh] * 6 linear(3)" && object["samples"] as? Int == 16 && object["steps"] as? Int == 6)
        let layers = try #require(object["layers"] as? [[String: Any]])
        #expect(layers.map { $0["name"] as? String } == (0...6).map { "\(2 * $0).linear" })
        for layer in layers {
            for key in ["inputs", "outputs", "gradient_norm", "signal_gradient_norm", "activation_mean", "activation_std", "saturated", "dead", "subnormal"] {
                #expect(layer[key] is NSNumber, "\(key)")
            }
            let jacobian = try #require(layer["jacobian"] as? [String: Any])
            #expect(Set(jacobian.keys) == ["largest", "smallest", "condition", "mean_square"])
        }
        let ends = try #require(object["end_to_end"] as? [String: Any])
        for key in ["log10_largest", "log10_median", "log10_smallest", "log10_rms", "log10_condition", "log10_bound", "growing", "shrinking"] {
            #expect(ends[key] is NSNumber, "\(key)")
        }
        let lyapunov = try #require(object["lyapunov"] as? [String: Any])
        #expect(lyapunov["unit"] as? String == "nats per step" && (lyapunov["exponents"] as? [Double])?.count == 8 && (lyapunov["standard_error"] as? [Double])?.count == 8)
        #expect(lyapunov["largest"] is NSNumber && lyapunov["mean"] is NSNumber && lyapunov["collapsed"] as? Int == 0)
        #expect(Set((object["mean_field"] as? [String: Any] ?? [:]).keys).isSuperset(of: ["q", "chi", "depth_scale"]))
        #expect(Verdict(rawValue: object["verdict"] as? String ?? "") != nil && (object["because"] as? String)?.hasPrefix("over 5 steps of depth") == true)
        let advice = try #require(object["advice"] as? [[String: Any]])
        #expect(advice.count > 5)
        for cure in advice {
            #expect(cure["change"] is String && cure["largest"] is NSNumber && Verdict(rawValue: cure["verdict"] as? String ?? "") != nil)
            #expect(throws: Never.self) { try Network(cure["network"] as? String ?? "") }
        }
    }

    @Test func theQuantitiesAreThoseOfTheLibrary() throws {
        let measured = try Self.measured("[linear(8) tanh] * 6 linear(3)", inputs: 5), object = try Self.object(measured)
        let model = measured.subject.model, samples = measured.subject.samples, pass = try DepthPass(model, samples)
        let spectrum = try DepthSpectrum(pass, seed: 0), ends = try #require(object["end_to_end"] as? [String: Any])
        func close(_ key: String, _ log: Double) -> Bool { abs((ends[key] as? Double ?? .nan) - log / Foundation.log(10)) < 1e-12 }
        #expect(close("log10_largest", spectrum.logLargest) && close("log10_median", spectrum.logMedian) && close("log10_smallest", spectrum.logSmallest))
        #expect(close("log10_rms", spectrum.logRMS) && close("log10_condition", spectrum.logCondition) && close("log10_bound", spectrum.logBound))
        let exponents = try #require((object["lyapunov"] as? [String: Any])?["exponents"] as? [Double])
        #expect(exponents.count == 8 && zip(exponents, spectrum.lyapunov.exponents).allSatisfy { abs($0 - $1) < 1e-12 })
        #expect(object["because"] as? String == Judgement(spectrum).because)
        let rate = try SignalRate(networks: 4, seed: 0, samples: samples, loss: .crossEntropy) { try Model(Network("[linear(8) tanh] * 6 linear(3)"), inputs: 5, seed: $0) }
        #expect(abs((object["signal_rate"] as? Double ?? .nan) - rate.rate()!.rate) < 1e-12)
        #expect(abs((object["signal_rate_standard_error"] as? Double ?? .nan) - rate.rate()!.standardError) < 1e-12)
        let gradient = try model.gradients(of: samples, loss: .crossEntropy), first = gradient.parameters.filter { $0.name.hasPrefix("0.") }
        let norm = first.reduce(0.0) { $0 + $1.values.reduce(0) { $0 + Double($1) * Double($1) } }.squareRoot()
        let layers = try #require(object["layers"] as? [[String: Any]])
        #expect(abs((layers[0]["gradient_norm"] as? Double ?? .nan) / norm - 1) < 1e-5)
        let largest = try #require((layers[1]["jacobian"] as? [String: Any])?["largest"] as? Double), expected = try pass.jacobianSummary(2).largest
        #expect(abs(largest / expected - 1) < 1e-12)
    }

    /// Whatever the network, every number is finite or null, and the contract's keys are there.
    @Test(arguments: [
        ("linear(3)", 4), ("linear(6) relu linear(3)", 4), ("linear(8) residual[layernorm linear(8) relu linear(8)] * 4 layernorm linear(3)", 8),
        ("[linear(8) batchnorm relu] * 3 linear(3)", 8), ("sequence(5) rnn(6, tanh) last linear(3)", 10), ("sequence(5) lstm(4) gru(3) linear(3)", 10),
        ("sequence(5) linear(4) relu mean linear(3)", 10), ("linear(8) residual(rezero)[linear(8)] * 3 linear(3)", 8), ("linear(8) relu dropout(0.5) linear(1)", 4),
    ]) func everyKindOfNetworkIsTold(network: String, inputs: Int) throws {
        let measured = try Self.measured(network, inputs: inputs), object = try Self.object(measured)
        #expect(object.count >= 12 && object["end_to_end"] is [String: Any] && object["verdict"] as? String != nil)
        #expect((object["layers"] as? [[String: Any]] ?? []).allSatisfy { $0["gradient_norm"] is NSNumber && $0["jacobian"] is [String: Any] })
        for width in [20, 80] { #expect(measured.text(width: width).split(separator: "\n").allSatisfy { $0.count <= width }) }
        let recurrent = object["recurrent"] as? [String: Any]
        #expect((recurrent != nil) == (network.contains("rnn") || network.contains("lstm")))
        if let recurrent {
            let lags = try #require(recurrent["log10_gradient_by_lag"] as? [Double])
            #expect(lags.count == 5 && lags[0] == 0 && (object["lyapunov"] as? [String: Any])?["over"] as? String == "time")
            #expect((recurrent["spectral_radius"] as? [Double])?.isEmpty == false)
        }
    }

    @Test func partsThatAreNotAskedForAreNull() throws {
        let object = try Self.object(Self.measured("[linear(8) tanh] * 3 linear(3)", inputs: 5) { $0.parts = [.lyapunov] })
        #expect(object["lyapunov"] is [String: Any] && object["advice"] is NSNull && object["signal_rate"] is NSNull)
        let layer = try #require((object["layers"] as? [[String: Any]])?.first)
        #expect(layer["jacobian"] is NSNull && layer["gradient_norm"] is NSNull && layer["activation_std"] is NSNull)
        let signal = try Self.object(Self.measured("[linear(8) tanh] * 3 linear(3)", inputs: 5) { $0.parts = [.signal] })
        #expect(signal["end_to_end"] is NSNull && signal["lyapunov"] is NSNull && signal["verdict"] as? String == "stable")
    }

    @Test func anOverflowStopsOnlyWhatDependsOnIt() throws {
        let measured = try Self.measured("[linear(16, init: gaussian(1000)) relu] * 20 linear(3)", inputs: 16), object = try Self.object(measured)
        let place = try #require(object["overflow"] as? String), layers = try #require(object["layers"] as? [[String: Any]])
        #expect(layers.count == 21 && layers[0]["activation_std"] is NSNumber && layers[0]["jacobian"] is [String: Any])
        #expect(layers[0]["gradient_norm"] is NSNull && layers[20]["activation_std"] is NSNull && object["end_to_end"] is NSNull)
        #expect(object["verdict"] as? String == "exploding" && (object["because"] as? String)?.contains("overflows at step") == true)
        #expect((object["advice"] as? [[String: Any]])?.first?["verdict"] as? String == "stable" && object["signal_rate"] is NSNull)
        #expect(measured.text(width: 80).contains("overflow: the output of \(place) is not finite"))
    }

    @Test func whatIsTooDearIsProbedAndSaidSo() throws {
        let measured = try Self.measured("[linear(40) batchnorm relu] * 3 linear(3)", inputs: 8, batch: "32") { $0.parts = [.jacobians, .lyapunov] }
        let ends = try #require(try Self.object(measured)["end_to_end"] as? [String: Any])
        #expect(ends["log10_median"] is NSNull && ends["log10_largest"] is NSNumber && ends["log10_bound"] is NSNumber)
        #expect(measured.sampled.contains { $0.contains("by probes") } && measured.text(width: 80).contains("by probes"))
    }

    @Test func aProbedSpectrumSaysWhatItCannotTell() throws {
        let network = "[linear(40) batchnorm relu] * 3 linear(3)"
        let probed = try Self.measured(network, inputs: 8, batch: "32") { $0.parts = [.jacobians] }
        // Sentences wrap.
        let text = probed.text(width: 80).split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(text.contains("whether half of all directions vanish at the same time probes cannot tell; --exact can, up to 1024 numbers"))
        let ends = try #require(try Self.object(probed)["end_to_end"] as? [String: Any])
        #expect(ends["probed"] as? Bool == true)
        let exact = try Self.measured("[linear(8) tanh] * 3 linear(3)", inputs: 8)
        let whole = try #require(try Self.object(exact)["end_to_end"] as? [String: Any])
        #expect(!exact.text(width: 80).contains("probes cannot tell") && whole["probed"] as? Bool == false)
    }

    /// Widths cubed of 7 factors of 1,024, of 31 of 512, and of 10,000 of 128.
    @Test func wideAndDeepOnesAreExactByDefault() {
        for (factors, width) in [(7.0, 1024.0), (31, 512), (9_999, 128)] { #expect(factors * width * width * width <= GradientMeasurement.exactWork) }
    }

    @Test func ofManyLayersJacobiansAreTakenAtEvenlySpacedOnesAndSaidSo() throws {
        let measured = try Self.measured("[linear(2) tanh] * 1200 linear(2)", inputs: 2) { $0.parts = [.jacobians] }
        let places = measured.jacobians.indices.filter { measured.jacobians[$0] != nil }, gaps = Set(zip(places, places.dropFirst()).map { $1 - $0 })
        #expect(places.count == 1024 && places.first == 0 && places.last == 1200 && gaps == [1, 2])
        #expect(measured.sampled.contains { $0.contains("Jacobians of 1024 of 1201 layers, evenly spaced, at one sample; --exact takes all") })
        let layers = try #require(try Self.object(measured)["layers"] as? [[String: Any]])
        #expect(layers.count == 1201 && layers.count { $0["jacobian"] is NSNull } == 1201 - 1024)
        #expect(measured.page.html.contains("1024 of 1201 layers"))
    }

    @Test func oneThreadMeasuresWhatThreeDo() throws {
        let network = "linear(8) residual[layernorm linear(8) relu linear(8)] * 4 layernorm linear(3)"
        let lines = try [1, 3].map { threads in try Kernels.$threadLimit.withValue(threads) { try Self.measured(network, inputs: 8).json.line } }
        #expect(lines[0] == lines[1])
    }

    @Test func progressIsDrawnOnATerminalAlone() throws {
        #expect(try profiler(small + ["--only", "signal"]).errors.contains("\r") == false)
        #expect(ProgressLine.text("cures", 3, of: 18, width: 80) == "cures: 3 of 18" && ProgressLine.text("forward passes", 0, of: 0, width: 20) == "forward passes")
        #expect(ProgressLine.text("Jacobians and signals", 1000, of: 10_001, width: 20) == "Jacobians and signa")
    }

    @Test func aRunIsItsTrainedModelOnItsData() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "fathom-\(UUID().uuidString)"), path = folder.path
        defer { try? FileManager.default.removeItem(at: folder) }
        let network = "linear(7) tanh linear(10)"
        let run = try RunFolder(creating: path)
        try Data("data: digits\nnetwork: \(network)\nbatch: 32\nseed: 4\n".utf8).write(to: URL(filePath: run.recipe))
        let empty = try profiler(["gradients", path])
        #expect(empty.status == 66 && empty.errors.contains("has no model yet"))
        let model = try Model(Network("linear(7, init: normal(0.5)) tanh linear(10)"), inputs: 64, seed: 9)
        try model.write(to: URL(filePath: run.model))
        let object = try #require(try objects(profiler(["gradients", path, "--json", "--only", "signal,jacobians"]).output).first)
        #expect(object["trained"] as? Bool == true && object["samples"] as? Int == 32 && object["mean_field"] is NSNull && object["signal_rate_standard_error"] is NSNull)
        #expect(object["network"] as? String == "linear(7, init: normal(0.5)) tanh linear(10)", "the model's, not the recipe's")
        for (flags, sentence) in [(["--network", "linear(3)"], "whose network is trained"), (["--averages", "3"], "those of a run are trained"), (["--inputs", "5"], "takes 64")] {
            let refused = try profiler(["gradients", path] + flags)
            #expect(refused.status == 64 && refused.errors.contains(sentence), "\(refused.errors)")
        }
        for (steps, isTrained) in [("0", false), ("1", true)] {
            var checkpoint = try model.file()
            checkpoint.metadata["step"] = steps
            try checkpoint.write(to: URL(filePath: run.checkpoint))
            let object = try #require(try objects(profiler(["gradients", path, "--json", "--only", "signal"]).output).first)
            #expect(object["trained"] as? Bool == isTrained)
        }
    }

    // MARK: On a terminal

    @Test func theReportFitsEveryWidth() throws {
        let measured = try Self.measured("[linear(6) sigmoid] * 64 linear(3)", inputs: 6)
        for width in [16, 20, 40, 60, 80, 200] {
            let text = measured.text(width: width), lines = text.split(separator: "\n")
            #expect(lines.allSatisfy { $0.count <= width }, "\(width): \(lines.filter { $0.count > width })")
            #expect(!text.contains("\u{1B}"))
            #expect(lines.contains { $0.hasPrefix("0.l") } && lines.contains { $0.hasPrefix("128") } && lines.contains { $0.hasPrefix("verdict:") })
        }
        let text = measured.text(width: 80)
        #expect(text.hasPrefix("gradient of what each layer learns") && text.contains("… one layer in 2 of 64 is shown; --json has all\n"))
        #expect(text.contains("verdict: vanishing: over 63 steps of depth a random error") && text.contains("\nfirst: --network '"))
        #expect(text.split(separator: "\n").count { $0.hasSuffix("%") && $0.contains("linear") } == 34)
        for part in ["spectrum of ∂h_64/∂h₁", "log₁₀ σ:", "layers by themselves:", "exponents, nats a step of depth:", "signal rate:", "sampled:"] {
            #expect(text.contains("\n" + part), "\(part)")
        }
    }

    @Test func barsGrowWithTheLogarithm() {
        let rows = [-6.0, -3, 0, -.infinity].map { LayerPicture.Row(name: "l", logGradient: $0, mean: -0.001, deviation: 1, saturated: 0.25) }
        let lines = LayerPicture(rows, noun: "layer").text(width: 40).split(separator: "\n").map(String.init), lengths = lines.map { $0.count { "█▏▎▍▌▋▊▉".contains($0) } }
        #expect(lengths[1] == 1 && lengths[3] > 2 && abs(2 * lengths[2] - lengths[3]) <= 1 && lengths[4] == 0)
        #expect(lines[2].contains("−3.0") && lines[4].contains(" 0 ") && lines[1].hasSuffix("25 %"))
        #expect(LayerPicture(rows, noun: "layer").text(width: 80).contains(" 0.00 ± 1.00"))
    }

    @Test func aRecurrentLayerIsToldOverTime() throws {
        let measured = try Self.measured("sequence(30) rnn(8, tanh, recurrent: gaussian(0.3)) last linear(3)", inputs: 60), text = measured.text(width: 100)
        #expect(measured.judgement.verdict == .vanishing && measured.judgement.because.hasPrefix("over 29 time steps"))
        for part in ["spectral radius of 1.rnn:", "gradient against lag, 1.rnn: 1: ×", "exponents, nats a time step:", "spectrum of ∂s_30/∂s₁ of 1.rnn"] {
            #expect(text.contains("\n" + part), "\(part)")
        }
    }

    // MARK: As a page

    @Test func thePageHasFiguresAndTables() throws {
        let html = try Self.measured("sequence(6) rnn(5, tanh) last linear(3)", inputs: 12).page.html
        for part in ["What the gradient does", "Gradient by layer", "Jacobians of the layers", "Lyapunov exponents", "Gradient against lag", "What would cure it", "1.rnn", "as it is"] {
            #expect(html.contains(part), "\(part)")
        }
        let overflow = try Self.measured("[linear(8, init: gaussian(1000)) relu] * 20 linear(3)", inputs: 8).page.html
        #expect(overflow.contains("overflows at step") && !overflow.contains("Gradient by layer"))
    }

    @Test func thePageSaysWhetherTheGainIsOverTimeOrDepth() throws {
        let time = try Self.measured("sequence(28) rnn(8) last linear(3)", inputs: 28).page.html, depth = try Self.measured("[linear(8) tanh] * 6 linear(3)", inputs: 8).page.html
        #expect(time.contains("<b>Gain over all time steps") && depth.contains("<b>Gain over the whole depth"))
    }

    @Test func thePageOfOneLayerCountsItOnce() throws {
        let html = try Self.measured("linear(10)", inputs: 64).page.html
        #expect(html.contains("<span>1 is 0.linear</span>") && html.contains(">1</text>"))
        for text in ["0.90", "0.95", "-1.0"] { #expect(!html.contains(">\(text)</text>"), "\(text)") }
    }

    @Test func outputIsAFileOrAFolderAndNothingElseIsOverwritten() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "fathom-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let command = small + ["--only", "signal", "--output"]
        for (output, file) in [("reports", "reports/gradients.html"), ("deep/one.html", "deep/one.html"), ("reports", "reports/gradients.html")] {
            let run = try profiler(command + [folder.appending(path: output).path])
            #expect(run.status == 0 && run.errors.contains(file) && run.output.contains("verdict:"), "\(run.errors)")
            #expect(try String(contentsOf: folder.appending(path: file), encoding: .utf8).contains("<svg"))
        }
        let other = folder.appending(path: "other.html"), file = folder.appending(path: "file").path
        for url in [other, URL(filePath: file)] { try Data("mine".utf8).write(to: url) }
        for (output, sentence) in [
            (other.path, "is no report of fathom"), (other.path + "/x", "cannot be made: Not a directory"), ("", "must name a folder"),
            (file, "\(file) is a file; --output takes a folder"), (file + "/x.html", "\(file) is a file; --output takes a folder"),
        ] {
            let run = try profiler(command + [output])
            #expect(run.status == 73 && run.output.isEmpty && run.errors.contains(sentence), "\(run.status) \(run.errors)")
        }
        #expect(try String(contentsOf: other, encoding: .utf8) == "mine")
    }

    // MARK: Mistakes

    @Test(arguments: [
        ([], 64, "say what to profile"), (["--network", "linear(2)"], 64, "--inputs 784"), (["--inputs", "0"], 64, "whole number from 1"),
        (["--inputs", "3", "--data", "digits"], 64, "one of both"), (["--samples", "0"], 64, "--samples takes a whole number from 1"),
        (["--samples", "1.5"], 64, "'1.5'"), (["--averages", "none"], 64, "--averages takes"), (["--jacobian-samples", "-1"], 64, "--jacobian-samples takes"),
        (["--signal", "noise"], 64, "loss or random, not 'noise'"), (["--only", "spectrum"], 64, "signal, jacobians, lyapunov, advice"), (["--only", ""], 64, "not ''"),
        (["--only", "signal,,advice"], 64, "with commas"), (["--networks", "x"], 64, "did you mean '--network'?"), (["--lr", "1"], 64, "'--optimizer'"),
        (["--samples", "--json"], 64, "'--json' is a flag"), (["--network", "lnear(2)", "--inputs", "3"], 65, "did you mean 'linear'?"),
        (["--network", "linear(outputs)", "--inputs", "3"], 65, "give it a number"), (["--network", "relu", "--inputs", "3"], 65, "no steps of depth"),
        (["--network", "linear(2)", "--inputs", "3", "--seed", "-1"], 65, "seed"), (["no-such.yaml"], 66, "no-such.yaml"), (["--data", "no-such.csv"], 66, "no-such.csv"),
        (["--data", "digits", "--samples", "999999"], 65, "rows to train on"), (["--network", "linear(2)", "--inputs", "3", "--batch", "4", "--jacobian-samples", "5"], 65, "4 rows"),
        (["/"], 65, "not a run folder"), (["model.safetensors"], 65, "name the run folder"), (["--network", "linear(2)", "--inputs", "3", "--threads", "0"], 65, "1 to 1024"),
    ]) func aMistakeIsOneSentenceWithItsStatus(arguments: [String], status: Int32, sentence: String) throws {
        let run = try profiler(["gradients"] + arguments)
        #expect(run.status == status, "\(run.errors)")
        #expect(run.output.isEmpty && run.errors.contains(sentence), "\(run.errors)")
    }
}
