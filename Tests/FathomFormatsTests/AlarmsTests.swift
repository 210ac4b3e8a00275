@testable import Fathom
import FathomFormats
import Testing

@Suite struct AlarmsTests {
    /// Layers of 100 entries each, the last with a gradient of 1.
    private func layers(gradients: [Double] = [], saturated: [Double] = [], dead: [Double] = []) -> [LayerStatistics] {
        (0..<4).map { i in
            LayerStatistics(
                name: "\(2 * i).linear", gradientNorm: 1, signalGradientNorm: i < gradients.count ? gradients[i] : 1, weightNorm: 1, updateRatio: 0.1, activationMean: 0,
                activationStd: 1, slopeMeanSquare: 1, saturated: i < saturated.count ? saturated[i] : 0, dead: i < dead.count ? dead[i] : 0, subnormal: 0,
                nonfinite: 0, entries: 100)
        }
    }

    @Test("What holds in three steps in a row is an alarm, once, and again of twice as many layers") func lasting() {
        var alarms = Alarms()
        let one = layers(gradients: [9e-4]), two = layers(gradients: [9e-4, 5e-4])
        #expect(alarms.look(at: one).isEmpty && alarms.look(at: one).isEmpty)
        let first = alarms.look(at: one)
        #expect(first.map(\.kind) == [.vanishing] && first[0].layer == "0.linear")
        #expect(first[0].message == "the gradient vanishes in 0.linear: there it is 0.0009 times that of the last layer")
        #expect(alarms.look(at: one).isEmpty && alarms.look(at: two).isEmpty && alarms.look(at: two).isEmpty)
        #expect(alarms.look(at: two).map(\.message) == ["the gradient vanishes in 2 of 4 layers, most in 2.linear: there it is 0.0005 times that of the last layer"])
    }

    @Test("What is interrupted begins anew, and a factor of 1,000 is not yet too much") func interrupted() {
        var alarms = Alarms()
        for gradient in [2e3, 2e3, 1, 2e3, 2e3] { #expect(alarms.look(at: layers(gradients: [gradient])).isEmpty) }
        #expect(alarms.look(at: layers(gradients: [2e3])).map(\.message) == ["the gradient explodes in 0.linear: there it is 2000 times that of the last layer"])
        var large = Alarms()
        #expect((0..<3).flatMap { _ in large.look(at: layers(gradients: [1.34e9])) }.first?.message.hasSuffix("there it is 1.3e9 times that of the last layer") == true)
        var others = Alarms()
        for _ in 0..<5 { #expect(others.look(at: layers(gradients: [1e-3, 1e3], saturated: [0.89], dead: [0.89])).isEmpty) }
    }

    /// Layers of 100 entries each.
    private func named(_ gradients: KeyValuePairs<String, Double>, dead: Double = 0) -> [LayerStatistics] {
        gradients.map { name, gradient in
            LayerStatistics(
                name: name, gradientNorm: 1, signalGradientNorm: gradient, weightNorm: 1, updateRatio: 0.1, activationMean: 0, activationStd: 1, slopeMeanSquare: 1,
                saturated: dead, dead: dead, subnormal: 0, nonfinite: 0, entries: 100)
        }
    }

    /// What three steps alike are warned of.
    private func warned(_ layers: [LayerStatistics]) -> [Alarm] {
        var alarms = Alarms()
        return (0..<3).flatMap { _ in alarms.look(at: layers) }
    }

    @Test("A branch that is small as a whole is not called vanishing, whether its scale or its last layer is; it may explode, and units may die") func branches() {
        for small in [0, 1e-8, 1e-4] {
            // rezero, skipinit, and a scale that is a small number
            #expect(warned(named(["0.linear": 1, "1.residual": 1, "1.0.linear": small, "1.2.linear": small, "1.4.linear": small, "2.linear": 1])).isEmpty)
            // fixup
            #expect(warned(named(["0.linear": 1, "1.0.linear": small, "1.2.linear": small, "1.4.linear": 1, "2.linear": 1])).isEmpty)
            // pre-norm, and with a normalization behind the layer that is small
            #expect(warned(named(["0.linear": 1, "1.0.layernorm": small, "1.1.linear": small, "1.3.linear": 1, "1.4.layernorm": 1, "2.linear": 1])).isEmpty)
            // a branch within the branch, and behind it a layer of the outer one
            #expect(warned(named(["0.linear": 1, "1.0.linear": 1, "1.1.0.linear": small, "1.1.2.linear": small, "1.2.linear": 1, "2.linear": 1])).isEmpty)
        }
        let found = warned(named(["0.linear": 1, "1.0.linear": 2e3, "1.1.0.linear": 2e3, "2.linear": 1], dead: 1))
        #expect(found.map(\.kind) == [.exploding, .dead] && found[0].layer?.hasPrefix("1.") == true)
    }

    @Test("A gradient that vanishes or explodes along a branch is warned of, however small the branch") func alongBranch() {
        for scale in [1e-9, 1] {
            let end = 1e-3 * scale
            let vanishing = warned(named([
                "0.linear": 1, "10.0.linear": 5e-8 * scale, "10.1.layernorm": 5e-7 * scale, "10.2.linear": 4e-5 * scale, "10.4.linear": end, "10.6.linear": scale,
                "11.linear": 1,
            ]))
            #expect(vanishing.map(\.message) == ["the gradient vanishes in 2 of 7 layers, most in 10.0.linear: there it is 5e-05 times that of 10.4.linear"], "\(scale)")
        }
        let exploding = warned(named([
            "0.linear": 1, "1.residual": 1, "1.0.linear": 0.2, "1.1.0.linear": 1.5e-9, "1.1.1.linear": 1e-12, "1.1.2.linear": 1e-12, "1.2.rnn": 1e-4, "1.3.lstm": 1e-4,
            "2.linear": 1,
        ]))
        #expect(exploding.map(\.message) == ["the gradient explodes in 2 of 9 layers, most in 1.0.linear: there it is 2000 times that of 1.2.rnn"])
    }

    @Test("A last layer that begins at 0, or ends in a branch that does, makes no other vanish or explode") func end() {
        #expect(warned(named(["0.linear": 1e-6, "1.0.linear": 1e-9, "1.2.linear": 1e-6, "2.linear": 1])).isEmpty)
        #expect(warned(named(["0.linear": 1, "12.residual": 1, "12.0.linear": 1e-6, "12.2.linear": 1e-6])).isEmpty)
        // The residual in front of one without parameters is not its entry.
        #expect(warned(named(["0.linear": 1, "1.residual": 1, "1.0.linear": 1, "12.0.linear": 1e-6, "12.2.linear": 1e-6])).map(\.kind) == [.exploding])
        #expect(warned(named(["0.linear": 1e-6, "2.linear": 2e-4, "4.linear": 1])).isEmpty)
        #expect(warned(named(["0.linear": 1e-6, "2.linear": 2e-3, "4.linear": 1])).map(\.layer) == ["0.linear"])
        // Where nothing comes back at all, there is nothing to learn from.
        #expect(warned(named(["0.linear": 0, "2.linear": 0, "4.linear": 1])).map(\.kind) == [.vanishing])
    }

    @Test("A little more than a factor of 1,000 is seen at once, a little less is not, and a gradient that is no number is neither") func threshold() {
        #expect(warned(named(["0.linear": 1_001, "2.linear": 1, "4.linear": 1])).map(\.kind) == [.exploding])
        #expect(warned(named(["0.linear": 1, "2.linear": 1, "4.linear": 1 / 1_001])).map(\.kind) == [.exploding])
        #expect(warned(named(["0.linear": 1 / 1_001, "2.linear": 1, "4.linear": 1])).map(\.kind) == [.vanishing])
        #expect(warned(named(["0.linear": 999, "2.linear": 1, "4.linear": 1])).isEmpty && warned(named(["0.linear": 1 / 999, "2.linear": 1, "4.linear": 1])).isEmpty)
        #expect(warned(layers(saturated: [0.9])).map(\.kind) == [.saturated] && warned(layers(dead: [0.9])).map(\.kind) == [.dead])
        for strange in [Double.nan, .infinity] { #expect(warned(named(["0.linear": strange, "2.linear": 1, "4.linear": 1])).isEmpty, "\(strange)") }
        #expect(warned(named(["0.linear": .nan, "2.linear": 2e3, "4.linear": 1])).map(\.layer) == ["2.linear"])
    }

    @Test("A dead layer is not called saturated too") func dead() {
        var alarms = Alarms()
        var found: [Alarm] = []
        for _ in 0..<3 { found += alarms.look(at: layers(saturated: [1, 0.95], dead: [1])) }
        #expect(found.map(\.kind) == [.saturated, .dead] && found.map(\.layer) == ["2.linear", "0.linear"])
        #expect(found[1].message == "0.linear is dead: 100 % of its units have a slope of 0 for the whole batch")
    }

    @Test("What was seen comes back from a checkpoint's metadata: the same alarms follow, wherever the training was interrupted") func resumed() throws {
        let course = (0..<8).map { i in layers(gradients: i < 4 ? [5e-4, 1, 2e3] : [5e-4, 5e-4, 2e3], saturated: i == 5 ? [] : [0, 0.95], dead: [0, 0, 0, 0.9]) }
        func take(_ step: Int, _ alarms: inout Alarms) -> [Alarm] {
            alarms.look(at: course[min(step, 7)]) + [alarms.see(clipped: step % 4 != 0)].compactMap(\.self)
        }
        var whole = Alarms(), alarms = (0..<110).map { take($0, &whole) }
        #expect(alarms.flatMap(\.self).map(\.kind) == [.vanishing, .exploding, .saturated, .dead, .vanishing, .clipping])
        for interruption in Array(0...9) + [50, 98, 99, 100, 101] {
            var before = Alarms()
            alarms = (0..<interruption).map { take($0, &before) }
            var after = try Alarms(before.metadata, name: "c")
            #expect(after == before)
            alarms += (interruption..<110).map { take($0, &after) }
            #expect(after == whole && alarms.flatMap(\.self).count == 6, "\(interruption)")
        }
        #expect(Alarms().metadata.isEmpty)
        for (key, text) in [
            ("alarm_dead", ""), ("alarm_dead", "-1"), ("alarm_dead", "1 0.linear"), ("alarm_dead", "1 0.linear:4"), ("alarm_clipping", "1 2"), ("alarm_clipping", "1 3 2"),
            ("alarm_clipping", "1 3 100"), ("alarm_dead", "9223372036854775807"),
        ] {
            #expect(throws: FathomError.invalid("c: its metadata say '\(text)' of '\(key)', which cannot be")) { try Alarms([key: text], name: "c") }
        }
    }

    @Test("Every step is looked at at first, then fewer, neither more nor less where the training is longer") func looks() {
        #expect((1...1_000).allSatisfy(Alarms.looks) && (1_001...10_000).count(where: Alarms.looks) == 900 && (10_001...100_000).count(where: Alarms.looks) == 900)
    }

    @Test("Clipping is told of once where it fires in more than half of a hundred steps, and at the end where it never did") func clipping() {
        var alarms = Alarms()
        let half = (0..<100).compactMap { alarms.see(clipped: $0 % 2 == 0) }, more = (0..<200).compactMap { alarms.see(clipped: $0 % 2 == 0 || $0 % 99 == 1) }
        #expect(half.isEmpty && more.count == 1 && more[0].message.hasPrefix("51 of the last 100 steps were clipped"), "\(more)")
        #expect(alarms.end(steps: 100, clipRate: 0)?.kind == .clipping)
        #expect(alarms.end(steps: 99, clipRate: 0) == nil && alarms.end(steps: 1000, clipRate: 0.001) == nil && alarms.end(steps: 1000, clipRate: nil) == nil)
    }
}
