import Testing

@testable import Fathom
@testable import FathomFormats

@Suite("Histories under way")
struct RunHistoryUnderWayTests {
    /// Numbers over many powers of ten, of either sign, and now and then none, or one that is not finite.
    private struct Numbers {
        var state: UInt64 = 7

        mutating func next() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let fraction = Double(state >> 11) * 0x1p-53
            switch state >> 32 % 16 {
            case 0: return 0
            case 1: return .nan
            case 2: return .infinity
            default: return (fraction - 0.5) * Double(sign: .plus, exponent: Int(state >> 40 % 200) - 100, significand: 1)
            }
        }

        mutating func some() -> Double? { next().isNaN ? nil : next() }
    }

    private static func layer(_ name: String, _ numbers: inout Numbers, isBare: Bool) -> LayerStatistics {
        LayerStatistics(
            name: name, gradientNorm: numbers.next(), signalGradientNorm: isBare ? nil : numbers.next(), weightNorm: numbers.some(), updateRatio: numbers.some(),
            activationMean: numbers.some(), activationStd: numbers.some(), slopeMeanSquare: numbers.some(), saturated: numbers.some(), dead: numbers.some(),
            subnormal: Int(numbers.state % 3), nonfinite: Int(numbers.state % 5), entries: 100)
    }

    @Test("What a run tells of itself is what its lines say", arguments: [1, 40, 700])
    func same(steps: Int) throws {
        var numbers = Numbers(), told = RunHistory(path: "made"), lines = [MadeRun.start]
        try told.add(line: MadeRun.start.bytes)
        for number in 1...steps {
            let step = Trainer.Step(
                step: number, loss: numbers.next(), learningRate: numbers.next(), gradientNorm: numbers.next(), clippedGradientNorm: numbers.next(), clipCoefficient: numbers.next())
            // Now and then a layer more; of some norms alone.
            let layers: [LayerStatistics]? = number % 3 == 0 ? nil : (0..<(number % 10 == 4 ? 4 : 3)).map { Self.layer("\($0).linear", &numbers, isBare: number % 7 == 1) }
            lines.append(Event.step(step, epoch: 1, layers: layers))
            told.add(step, layers)
        }
        for event in [MadeRun.epoch, MadeRun.end] {
            lines.append(event)
            try told.add(line: event.bytes)
        }
        let made = try MadeRun(lines), read = try RunHistory(contentsOf: made.folder.history)
        func isSame(_ a: [Double], _ b: [Double]) -> Bool { a.map(\.bitPattern) == b.map(\.bitPattern) }
        #expect(told.steps == read.steps && told.starts == read.starts && told.end == read.end && told.epochs.map(\.step) == read.epochs.map(\.step))
        for scalar in RunHistory.Scalar.allCases { #expect(isSame(told.values(scalar), read.values(scalar)), "\(scalar)") }
        #expect(told.layers.names == read.layers.names && told.layers.columns.map(\.first) == read.layers.columns.map(\.first))
        #expect(told.layers.columns.map(\.counts) == read.layers.columns.map(\.counts))
        for quantity in told.layers.keys.indices { #expect(isSame(told.layers.values(quantity), read.layers.values(quantity)), "\(told.layers.keys[quantity])") }
    }
}
