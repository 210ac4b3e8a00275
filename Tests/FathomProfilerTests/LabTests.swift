import Fathom
@testable import FathomProfiler
import FathomFormats
import FathomStability
import Foundation
import Testing

/// The lab's experiments against closed forms, at small sizes.
@Suite struct LabTests {
    // MARK: Towers

    /// ∂f/∂w after 75 activations at w = 0.7, x = −1.3 and at w = x = 1, from decimal arithmetic of 70 digits (Python's `decimal`), as sums of two float64.
    static let towers: [(activation: String, DoubleDouble, DoubleDouble)] = [
        ("leakyrelu(0.01)", .init(-1.2999999523162863e-150, 5.407581471804896e-167), .init(1.0, 0.0)),
        ("elu", .init(-0.0008572171865175332, 2.704698763111412e-20), .init(1.0, 0.0)),
        ("elu(0.3)", .init(-2.481336125541166e-40, -5.202493272720285e-57), .init(1.0, 0.0)),
        ("selu", .init(-6.860619910537417e-23, -4.2356675330855114e-39), .init(40.82587745954822, 2.4291624535791335e-15)),
        ("gelu", .init(2.3673111615918355e-24, 1.4207717155621768e-40), .init(1.256112233260907e-21, 1.985968087104194e-38)),
        ("gelu(tanh)", .init(2.352210659304486e-24, 5.476906967232788e-41), .init(1.2529911390833599e-21, 5.353912570100034e-39)),
        ("silu", .init(-4.09794192744825e-24, -2.8318418939410117e-40), .init(2.243290359089055e-22, 2.4998565032972312e-39)),
        ("tanh", .init(-0.0042562810855326, 1.697148134443272e-19), .init(0.0024287094596298136, 2.1000591726429515e-19)),
        ("sigmoid", .init(-3.1366912450765304e-49, -1.8720601003483314e-65), .init(1.9931263518337393e-49, -3.9429431840929783e-66)),
        ("softplus", .init(-0.006939840580593715, 3.700905682223176e-19), .init(0.03497609268381508, 3.1976898121268927e-18)),
    ]

    static func tower(_ activation: String, weight: Float = 1, input: Float = 1, gain: Float = 1) throws -> Tower {
        let layer = try #require(try Network(activation).layers.first as? Activation)
        return Tower(activation: layer, gain: gain, weight: weight, input: input)
    }

    /// A sum of two float64 is good to 2⁻¹⁰⁴ = 5e-32 an operation; exp doubles eight times, which costs 8 bits, and 75 layers each take a few: 1e-27.
    @Test(arguments: towers) func theReferenceHasTwentySixDigits(_ tower: (activation: String, negative: DoubleDouble, one: DoubleDouble)) throws {
        for (measured, reference) in [
            (try Self.tower(tower.activation, weight: 0.7, input: -1.3), tower.negative), (try Self.tower(tower.activation), tower.one),
        ].map({ ($0.exact(depth: 75)[74].gradient, $1) }) {
            #expect((measured - reference).magnitude.high <= 1e-26 * reference.high.magnitude)
        }
    }

    /// A layer rounds its value and its slope, each a few units at most (Documentation/activations.md), and the product once: two roundings of 2⁻²⁴ a layer, and
    /// four for the rest; below the normal numbers the product loses half a step of 2⁻¹⁴⁹ a layer, and the loss is multiplied by slopes below 1.
    @Test(arguments: ["identity", "relu", "hardtanh"] + towers.map(\.activation)) func everyTowerIsExactToRounding(_ activation: String) throws {
        for (tower, step) in [(try Self.tower(activation), 1), (try Self.tower(activation, weight: 0.7, input: -1.3), 37)] {
            let exact = tower.exact(depth: 75), float64 = tower.float64(depth: 75)
            for depth in stride(from: 1, through: 75, by: step) {
                let deviation = Tower.deviation(try tower.gradient(depth: depth), exact[depth - 1].gradient, depth: depth)
                #expect(deviation.units <= deviation.limit || exact[depth - 1].gradient.high == 0, "\(activation), L = \(depth): \(deviation)")
                let reference = exact[depth - 1].gradient.high
                #expect((float64[depth - 1].gradient - reference).magnitude <= 1e-14 * reference.magnitude, "\(activation), L = \(depth)")
            }
        }
    }

    /// Powers of two are exact: 4⁻⁶³ is the smallest normal float32, 4⁻⁷⁴ the last one at all.
    @Test func aFourthToTheDepthIsExactToTheLastSubnormal() throws {
        let tower = try Self.tower("identity", gain: 0.25)
        for depth in [1, 62, 63, 64, 74, 75] {
            let gradient = try tower.gradient(depth: depth)
            #expect(gradient == (depth < 75 ? Float(sign: .plus, exponent: -2 * depth, significand: 1) : 0))
            #expect(gradient.isSubnormal == (64...74).contains(depth))
        }
        // 1.5¹⁰ and 1.5²⁰ of the article; 20 factors of which each is exact, and so each product is within half a unit.
        let growing = try Self.tower("identity", gain: 1.5)
        #expect(try growing.gradient(depth: 10) == 57.6650390625)
        #expect(abs(try growing.gradient(depth: 20) / 3325.25673 - 1) < 20 * 0x1p-24)
    }

    @Test func trainingFreezesOrThrowsTheWeight() throws {
        let training = TowerTraining(towers: [], depth: 20, steps: 6)
        let frozen = try training.train(Self.tower("sigmoid"))
        #expect(frozen.count == 7 && frozen.allSatisfy { $0.weight == 1 } && frozen[0].gradient > 1e-14 && frozen[6].exactWeight != 1)
        let exploding = try training.train(Self.tower("identity", gain: 1.5))
        // w(1 − 2η·a⁴⁰): rounding of 20 layers, twice.
        let step = 1 - 2 * TowerTraining.rate * pow(1.5, 40)
        #expect(abs(Double(exploding[1].weight) / step - 1) < 60 * 0x1p-24 && exploding.count == 6 && exploding[5].loss == .infinity)
        let learning = try TowerTraining(towers: [], depth: 2, steps: 6).train(Self.tower("tanh"))
        #expect(learning[6].loss < learning[0].loss)
    }

    // MARK: Linear networks

    @Test func aLayersGradientIsTheProductOfTheOthers() throws {
        let lab = LinearNetworks(depth: 12, width: 6, averages: 40, gain: 1, seed: 3), model = try Model(lab.network, inputs: 6, seed: 3)
        let weights = try lab.weights(model)
        for layer in try lab.gradients(model, weights) {
            // 12 products of 6 terms, twice: some 24·√6·2⁻²⁴, and cancellation of the last residual.
            #expect(layer.measured.distance(to: layer.exact) < 2e-5 * layer.exact.frobeniusNorm)
            #expect(log10(layer.exact.frobeniusNorm) <= layer.logBound + 1e-12)
        }
        for product in try lab.products(weights) { #expect(product.logSingularValues[0] <= product.logBound + 1e-12 && product.logSingularValues.count == 6) }
        // Independent of everything else: 480 factors.
        let spectrum = try lab.exponents(), theory = LyapunovSpectrum.gaussian(size: 6, variance: 1 / 6.0)
        for i in 0..<6 { #expect(abs(spectrum.exponents[i] - theory[i]) < 4.5 * spectrum.standardError[i]) }
    }

    // MARK: Saturation, conditioning

    @Test func slopesTakeBackWhatWeightsStretch() throws {
        let lab = SaturationLab(activation: .tanh, depth: 24, width: 32, averages: 40, gain: 2, seed: 1)
        let layers = try lab.layer(scale: 2), mean = SampleMean(layers.map(\.meanSquare))
        #expect(layers.allSatisfy { $0.jacobian < $0.weights && $0.weights > 2 })
        // χ₁ of width → ∞; that of 32 is off by some 1/32.
        let chi = MeanField(.tanh, weightVariance: 4, biasVariance: 0).chi(at: 16)
        #expect(abs(mean.mean - chi) < 4.5 * mean.standardError + chi / 32)
        let (network, norms) = try lab.networks(), first = SampleMean(norms.map { $0[0] })
        #expect(network.count == 24 && network.allSatisfy { $0.jacobian > 1 } && first.mean < -1)
        #expect(abs(first.mean - lab.predicted()[0]) < 4.5 * first.standardError + 24.0 / 32 * 0.2)
    }

    @Test func directionsGrowAndShrinkAtOnceAndModesLearnAsSaxeSays() throws {
        let lab = ConditioningLab(depth: 10, modes: 5, steps: 400, gain: 1.5, seed: 2)
        // Rounding of a stretched direction, 10·2⁻²⁴·1.5¹⁰, beside the smallest, 1.5⁻¹⁰: 2e-3 at most.
        for (gain, value) in zip(try lab.gains(), lab.singularValues) { #expect(abs(gain / pow(value, 10) - 1) < 2e-3) }
        // Steps of s/τ·2 ≤ 0.04: Euler's method is behind the flow by half a step's growth, 2 % of the time, over a rise of slope s/4 in units of 2s/τ.
        for snapshot in try lab.learning(most: 21) {
            for (measured, strength) in zip(snapshot.strengths, lab.strengths) {
                #expect(abs(measured - lab.closedForm(strength, step: snapshot.step)) < 0.05 * strength)
            }
        }
        #expect(lab.closedForm(4, step: 0) == ConditioningLab.start && abs(lab.closedForm(4, step: 100_000) - 4) < 1e-12)
    }

    // MARK: Isometry

    @Test func variancesOfSquaredSingularValuesArePenningtons() throws {
        let lab = IsometryLab(activations: [.identity], depth: 3, width: 48, averages: 12, seed: 4)
        // Each factor is orthogonal to 2⁻²⁴·√48.
        for spectrum in try lab.spectra(.identity, .orthogonal) { #expect(spectrum.variance < 1e-11) }
        for (activation, weights) in [(Activation.identity, IsometryLab.Weights.gaussian), (.relu, .orthogonal), (.tanh, .orthogonal)] {
            let mean = SampleMean(try lab.spectra(activation, weights).map(\.variance)), theory = try lab.predicted(activation, weights)
            // Finite width: terms of depth²/width, relative.
            #expect(abs(mean.mean - theory) < 4.5 * mean.standardError + theory * 9 / 48, "\(activation) \(weights): \(mean.mean), \(theory)")
        }
        #expect(try lab.predicted(.identity, .gaussian) == 3 && abs(try lab.predicted(.relu, .gaussian) - 6) < 1e-9)
        let rezero = try lab.spectra(ofForm: "residual(rezero)[linear(W) φ]", .tanh)
        #expect(rezero.allSatisfy { IsometryLab.Spectrum($0).variance < 1e-20 })
    }

    // MARK: Over time

    @Test(arguments: RecurrentLab.Weights.allCases) func gradientsFollowTheSpectralRadius(_ weights: RecurrentLab.Weights) throws {
        let lab = RecurrentLab(width: 8, steps: 60, radii: [], input: 1, seed: 5)
        let setting = RecurrentLab.Setting(cell: "rnn(8, identity, bias: false)", weights: weights, takesNorm: weights != .orthogonal)
        for radius in [0.9, 1, 1.1] {
            let curve = try lab.curve(setting, radius: radius), logs = curve.logNorms.enumerated().map { $1 - Double($0) * log(radius) }
            #expect(abs(curve.measuredRadius / radius - 1) < 1e-6 && logs.count == 61)
            // W is rounded to float32 once: 60·2⁻²⁴ of its power at most, times what many such roundings make: 1e-4 is asked.
            if weights == .nonnormal { #expect(logs.max()! > 0.1 && abs(logs[60] - logs[50]) < 0.05) } else { #expect(logs.allSatisfy { abs(exp($0) - 1) < 1e-4 }) }
        }
    }

    @Test func twoTrajectoriesAndQRGiveTheSameExponent() throws {
        let lab = LyapunovLab(activation: .tanh, width: 24, steps: 120, averages: 1, gains: [], seed: 6)
        for (gain, range) in [(0.5, -0.9 ... -0.4), (3.0, 0.1...0.5)] {
            for exponents in [try lab.deep(gain: gain, seed: 6), try lab.recurrent(gain: gain, seed: 6)] {
                #expect(range.contains(exponents.qr) && range.contains(exponents.trajectories) && range.contains(exponents.predicted))
                // Over 60 steps two directions differ by what aligns them: some nats in all.
                #expect(abs(exponents.qr - exponents.trajectories) < 0.06, "gain \(gain): \(exponents)")
            }
        }
        // Signals of φ(cx) = cφ(x) shrink or grow by some 10⁶⁰ here. A power of two in the weights scales every number, and adds its logarithm.
        let straight = LyapunovLab(activation: .relu, width: 24, steps: 120, averages: 1, gains: [], seed: 6)
        for exponents in [straight.deep, straight.recurrent] {
            let one = try exponents(1, 6)
            #expect(abs(one.qr - one.trajectories) < 0.06, "\(one)")
            for gain in [0.125, 8] {
                let other = try exponents(gain, 6)
                #expect([(one.qr, other.qr), (one.trajectories, other.trajectories), (one.predicted, other.predicted)].allSatisfy { abs($0 + log(gain) - $1) < 1e-9 })
            }
        }
        // Linear networks have Newman's largest exponent; 60 layers of it vary by √(ψ′(12)/4/60) = 0.019.
        let linear = LyapunovLab(activation: .identity, width: 24, steps: 120, averages: 1, gains: [], seed: 7)
        let exponents = try linear.deep(gain: 1, seed: 7), newman = LyapunovSpectrum.gaussian(size: 24, variance: 1 / 24.0)[0]
        #expect(abs(exponents.predicted - newman) < 1e-3 && abs(exponents.qr - newman) < 4.5 * 0.019)
    }
}

/// What is printed, and what is refused.
@Suite struct LabCommandTests {
    static let small: [String: [String]] = [
        "tower": ["--depth", "5"], "linear": ["--depth", "4", "--width", "4", "--averages", "2"],
        "saturation": ["--depth", "4", "--width", "8", "--averages", "2"], "conditioning": ["--width", "3", "--steps", "60"],
        "isometry": ["--depth", "2", "--width", "6", "--averages", "2"], "recurrent": ["--width", "4", "--steps", "10", "--gain", "0.9", "1.1"],
        "lyapunov": ["--width", "6", "--steps", "16", "--averages", "2", "--gain", "0.8", "1.5"], "depth": ["--depth", "4", "--width", "6", "--steps", "2"],
    ]

    /// Names that others rely on.
    static let quantities: [String: Set<String>] = [
        "tower": ["gradient"], "linear": ["log10_product_of_norms", "log10_norm_of_product", "exponent"], "isometry": ["variance_orthogonal", "variance_gaussian"],
        "recurrent": ["gradient_norm", "spectral_radius"], "lyapunov": ["largest_exponent"], "saturation": ["norm_of_jacobian"],
        "conditioning": ["gradient_gain", "mode_strength"], "depth": ["exponent", "accuracy", "six_depth_scales"],
    ]

    @Test(arguments: small.keys.sorted()) func anExperimentHasItsNumbersItsPageAndFitsTheTerminal(_ name: String) throws {
        let command = try LabCommand.parse([name] + Self.small[name]!), experiment = try command.chosen(), result = try experiment.run(command.parameters())
        let rows = try objects(result.lines(name))
        #expect(!rows.isEmpty && rows.allSatisfy { $0["experiment"] as? String == name && $0["x"] is [String: Any] && $0.keys.contains("measured") })
        #expect(Self.quantities[name]!.isSubset(of: Set(rows.compactMap { $0["quantity"] as? String })))
        let page = result.page(experiment, command: "the command").html
        #expect(page.contains("<svg") && page.contains("The lab: \(name)") && !page.contains("http:") && page.contains("the command"))
        for width in [20, 80] {
            let text = result.text(experiment, width: width, unicode: false)
            #expect(!text.contains("\u{1B}") && !text.contains("│") && text.split(separator: "\n").allSatisfy { $0.count <= width }, "\(text)")
            #expect(text.contains("what to see:") && text.contains("\nfound:"))
        }
    }

    @Test func theProgramPrintsLinesAndWritesAPage() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "lab-\(UUID().uuidString)/new")
        defer { try? FileManager.default.removeItem(at: folder.deletingLastPathComponent()) }
        for arguments in [["--json"], []] {
            let run = try profiler(["lab", "recurrent"] + Self.small["recurrent"]! + arguments + ["--output", folder.path], environment: ["LC_ALL": "C"])
            #expect(run.status == 0 && run.errors.hasPrefix("wrote "), "\(run.errors)")
            if arguments.isEmpty {
                #expect(!run.output.contains("\u{1B}") && !run.output.contains("│") && run.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
            } else {
                #expect(try objects(run.output).allSatisfy { $0["experiment"] as? String == "recurrent" })
            }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["recurrent.html"])
    }

    private static func run(_ arguments: [String]) throws -> LabResult {
        let command = try LabCommand.parse(arguments)
        return try command.chosen().run(command.parameters())
    }

    /// What is found where options turn things round, and words that would not be true there.
    static let statements: [(arguments: [String], found: [String], untrue: [String])] = [
        (["lyapunov", "--gain", "0.01", "0.8", "--width", "6", "--steps", "80", "--averages", "2"], ["at 1 of 2 gains; nothing to compare at 0.01"], ["passes", "–"]),
        (["lyapunov", "--gain", "3", "0.5", "--width", "16", "--steps", "40", "--averages", "2"], ["through zero between gains of 0.5 and 3", "at every gain"], ["nothing"]),
        (["lyapunov", "--gain", "1e30", "--width", "3", "--steps", "8", "--averages", "1"], ["network: nothing to compare at 1e+30, where Jacobians"], ["differ"]),
        (["conditioning", "--gain", "0.5", "--steps", "1"], ["comes back ×1.02e+03, along the most squeezed ×0.000977"], []),
        (["conditioning", "--gain", "1", "--steps", "1"], ["no direction is stretched"], ["comes back"]),
        (["conditioning", "--depth", "1000", "--steps", "1"], ["float32 has no number"], ["stretched"]),
        (["conditioning", "--gain", "0.001", "--depth", "3", "--width", "2", "--steps", "1"], ["stretched direction the gradient comes back ×1e+09"], ["left with", "within 1.7e+10"]),
        (["saturation", "--activation", "relu", "--depth", "8", "--width", "32", "--averages", "2"], ["still not below 1", "signal grows ×"], ["of itself"]),
        (["saturation", "--gain", "0.25", "--depth", "4", "--width", "16", "--averages", "2"], ["below 1 at all these inputs; ‖W‖", "0 of 4 layers", "of itself"], ["though"]),
        (["recurrent", "--gain", "0.1", "--width", "2", "--steps", "10"], ["never grows"], ["grows to"]),
        (["recurrent", "--gain", "0.95", "--width", "32", "--steps", "2"], ["grows to ×1.98, and is ×1.98 after 2 steps"], ["vanishes"]),
        (["tower", "--activation", "identity", "--gain", "0.5", "--input", "5", "--depth", "3"], ["per layer it changes by ×0.5"], []),
        (["tower", "--input", "0", "--depth", "3"], ["the gradient is 0"], ["per layer"]),
        (["tower", "--activation", "tanh", "--input", "5", "--depth", "2"], ["times what one rounding"], ["%"]),
        (["tower", "--train", "--activation", "tanh", "--weight", "0"], ["its gradient is 0"], ["lost"]),
        (["tower", "--train", "--activation", "identity", "--gain", "1e30", "--depth", "5"], ["no number for the loss of the first step"], ["frozen"]),
        (["linear", "--width", "2", "--depth", "1000", "--averages", "1"], ["float32 has no digits for any ∂L/∂W_k"], ["every"]),
    ]

    @Test(arguments: statements) func whatIsFoundIsTrueOfItsNumbers(_ statement: (arguments: [String], found: [String], untrue: [String])) throws {
        let findings = try Self.run(statement.arguments).findings.joined(separator: "\n")
        for text in statement.found { #expect(findings.contains(text), "\(findings)") }
        for text in statement.untrue { #expect(!findings.contains(text), "\(findings)") }
    }

    @Test func theCureWhoseExponentIsNearestToZeroIsNamed() throws {
        let result = try Self.run(["depth", "--activation", "relu", "--depth", "4", "--width", "6", "--steps", "2"])
        let rows = try objects(result.lines("depth")).filter { $0["quantity"] as? String == "exponent" && ($0["x"] as? [String: Any])?["depth"] as? Int == 4 }
        func size(_ row: [String: Any]) -> Double { (row["measured"] as? Double ?? .infinity).magnitude }
        let order = rows.sorted { size($0) < size($1) }.compactMap { ($0["x"] as? [String: Any])?["change"] as? String }
        #expect(result.findings.contains { $0.contains("nearest to zero for \(order[0]) (") && $0.contains("furthest for \(order[order.count - 1]) (") }, "\(result.findings)")
        #expect(LabExperiment.depth.sees.contains("bring it to zero") == false)
    }

    /// Gaussian relu networks have singular values beyond four times their rms.
    @Test func aHistogramHasAllSingularValues() throws {
        let result = try Self.run(["isometry", "--activation", "relu", "--width", "32", "--averages", "2"])
        for series in result.charts[0].series {
            let mass = zip(series.y, zip(series.x, series.x.dropFirst())).reduce(0) { $0 + $1.0 * ($1.1.1 - $1.1.0) }
            #expect(series.style == .histogram && abs(mass - 1) < 1e-12, "\(series.name): \(mass)")
        }
    }

    @Test func neitherWayToAnExponentHidesTheOther() throws {
        let result = try Self.run(["lyapunov", "--width", "6", "--steps", "16", "--averages", "1", "--gain", "1.5", "0.8"])
        for chart in result.charts.prefix(2) {
            #expect(Set(chart.series.map(\.style)).count == chart.series.count)
            #expect(chart.series.filter { $0.style == .line }.allSatisfy { $0.x == $0.x.sorted() })
        }
    }

    @Test func aPictureFitsTwentyColumns() throws {
        let values = (0..<40).map(Double.init)
        let chart = Chart("A chart with a title longer than a line", x: Axis("something"), y: Axis("value", .logarithmic), [
            .line("a series with a long name", values, values.map { exp(-$0) }), .theory("theory", values, values.map { exp(-$0) }),
            .points("nothing", [1, 2], [0, -.infinity]),
        ])
        let map = HeatMap("A map", rows: ["100", "10"], "depth", columns: (0..<30).map(String.init), "gain", (0..<60).map(Double.init), unit: "accuracy",
                          line: ("a line", [(column: 3, row: 1)]))
        for width in [20, 40, 80, 200] {
            for unicode in [true, false] {
                for text in [chart.text(width: width, unicode: unicode), map.text(width: width, unicode: unicode)] {
                    #expect(text.split(separator: "\n").allSatisfy { $0.count <= width }, "\(text)")
                    #expect(unicode || text.unicodeScalars.allSatisfy(\.isASCII) || text.contains("…"))
                }
            }
        }
        // The curve falls from the left above to the right below, its marks over the theory.
        let lines = chart.text(width: 60, unicode: false).split(separator: "\n").filter { $0.contains("|") || $0.contains("+") }
        let columns = lines.compactMap { line in line.firstIndex(of: "o").map { line.distance(from: line.startIndex, to: $0) } }
        #expect(columns.count > 10 && columns == columns.sorted() && columns[0] < 10)
        #expect(Chart("Empty", x: Axis("x"), y: Axis("y"), [.line("a", [1], [.nan])]).text(width: 20, unicode: true).contains("nothing"))
        #expect(map.text(width: 80, unicode: false).contains("x") && hasUnicode(["LANG": "de_DE.UTF-8"]) && !hasUnicode(["LC_ALL": "C", "LANG": "en.utf8"]))
    }

    static let mistakes: [(arguments: [String], words: [String])] = [
        (["linear", "--activation", "tanh"], ["--activation", "'linear'", "it takes --depth, --width"]),
        (["towr"], ["unknown experiment 'towr'", "did you mean 'tower'?"]),
        (["tower", "--depth", "0"], ["--depth takes a whole number from 1, not '0'"]),
        (["tower", "--activation", "tahn"], ["unknown activation 'tahn'; did you mean 'tanh'?"]),
        (["tower", "--weight", "1e300"], ["--weight takes a number that float32 has, not '1e300'"]), (["linear", "--gain", "0"], ["--gain takes a number above 0"]),
        (["recurrent", "--gain", "-1"], ["--gain takes a number above 0", "'-1'"]), (["recurrent", "--gain", "0.9", "-1"], ["--gain takes a number above 0", "'-1'"]),
        (["tower", "--gain", "1", "2"], ["--gain takes one number here, not 2"]),
        (["tower", "--steps", "3"], ["give --train too"]),
        (["recurrent", "--seed", "-1"], ["--seed takes a whole number from 0"]),
        ([], ["experiment"]),
    ]

    @Test(arguments: mistakes) func aMistakeIsToldInASentence(_ mistake: (arguments: [String], words: [String])) throws {
        let run = try profiler(["lab"] + mistake.arguments)
        #expect(run.status == 64 && run.output.isEmpty && run.errors.split(separator: "\n").count == 1, "\(run.errors)")
        for word in mistake.words { #expect(run.errors.contains(word), "\(run.errors)") }
    }

    /// Numbers beyond float32 are null with the reason beside them, in results too.
    @Test(arguments: [
        ["conditioning", "--depth", "1000", "--steps", "1"], ["conditioning", "--gain", "1e30", "--steps", "1"], ["tower", "--activation", "identity", "--gain", "1e30", "--depth", "5"],
        ["linear", "--gain", "1e-20", "--depth", "9", "--width", "3", "--averages", "1"], ["saturation", "--gain", "1e20", "--depth", "3", "--width", "3", "--averages", "1"],
        ["recurrent", "--gain", "1e20", "--width", "2", "--steps", "20"], ["lyapunov", "--gain", "1e30", "--averages", "1", "--width", "3", "--steps", "8"],
    ]) func extremesAreNumbersOrNull(_ arguments: [String]) throws {
        let command = try LabCommand.parse(arguments), experiment = try command.chosen(), result = try experiment.run(command.parameters())
        #expect(try objects(result.lines(experiment.name)).allSatisfy { $0["measured"] is Double || $0["measured_reason"] is String })
        #expect(result.text(experiment, width: 40, unicode: true).contains("found:"))
        #expect(!result.findings.contains { finding in ["NaN", "–"].contains { finding.contains($0) } }, "\(result.findings)")
    }

    @Test func anotherFileIsNotWrittenOver() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "lab-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appending(path: "tower.html")
        try Data("mine".utf8).write(to: file)
        for output in [folder.path, file.path] {
            let run = try profiler(["lab", "tower", "--depth", "2", "--output", output])
            #expect(run.status == 73 && run.output.isEmpty, "\(run.errors)")
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == "mine")
        let missing = try profiler(["lab", "depth", "--data", "no-such-set", "--output", folder.appending(path: "new").path])
        #expect(missing.status != 0 && !FileManager.default.fileExists(atPath: folder.appending(path: "new").path))
    }
}
