@testable import Fathom
import Testing

@Suite("Thresholds of norms")
struct ThresholdTests {
    @Test("A percentile is NumPy's, to the bit") func percentiles() {
        let norms: [Float] = [
            1.0730290412902832, 0.30845314264297485, 5.375436782836914, 0.36642712354660034, 0.11536204069852829, 1.7997970581054688, 0.4986391067504883,
            0.5514214038848877, 0.02971344254910946, 0.7640665173530579, 1.0414583683013916, 0.23060199618339539, 1.6772146224975586, 0.20861658453941345,
            0.7862555384635925, 0.12876081466674805, 0.9229037761688232, 0.46236398816108704, 0.6887401342391968, 2.649024248123169, 1.1145143508911133,
            0.8987840414047241, 2.8399674892425537, 2.030853271484375, 1.1658380031585693, 0.32860925793647766, 1.4347082376480103, 0.15775497257709503,
            8.422929763793945, 0.2359415590763092, 2.478126049041748, 1.9022514820098877, 0.3199172616004944, 1.8012449741363525, 0.047815125435590744,
            1.3556751012802124, 1.196603536605835,
        ]
        // numpy.percentile(norms, p) of NumPy 2, float64
        let expected = [
            (0, 0.02971344254910946), (10, 0.14615730941295624), (12.5, 0.18318577855825424), (33.3, 0.46121274578571314), (50, 0.8987840414047241),
            (90, 2.5464853286743163), (99.9, 8.31322001647951), (100, 8.422929763793945),
        ]
        for (percentile, value) in expected { #expect(AutoClip.percentile(percentile, ofSorted: norms.sorted()) == value) }
    }

    /// The history of norms, sorted anew at each step.
    @Test("AutoClip's history has the current norm, and a window's length", arguments: [nil, 2, 7, 100])
    func histories(window: Int?) {
        for percentile in [0.0, 10, 50, 83.3, 100] {
            var clip = AutoClip(percentile: percentile, window: window), history: [Float] = []
            for norm in normals(300, seed: 5).map({ Double(abs(($0 * 8).rounded() / 8)) }) {
                history = (history + [Float(norm)]).suffix(window ?? .max)
                let threshold = AutoClip.percentile(percentile, ofSorted: history.sorted())
                #expect(clip.clip(norm) == min(norm, threshold))
                #expect(clip.norms == history)
            }
        }
    }

    @Test("AutoClip, closed forms") func autoClip() {
        var median = AutoClip(percentile: 50, window: nil)
        #expect([4, 2, 8, 16].map { median.clip($0) } == [4, 2, 4, 6])
        var none = AutoClip(percentile: 100, window: nil)
        for norm in [0.1, 1e300, 3, 1e-300, .pi] { #expect(none.clip(norm) == norm) }
    }

    @Test("ZClip, closed forms") func zClip() {
        var clip = ZClip(largest: 2.5, decay: 0.5, warmup: 2)
        #expect(clip.clip(1) == 1 && clip.clip(3) == 3)
        #expect(clip.mean == 2 && clip.variance == 1)
        // z = 2.5 is none yet; z = 10 goes to μ + 2.5²·σ/10.
        #expect(clip.bounded(4.5) == 4.5 && clip.bounded(12) == 2.625 && clip.bounded(0) == 0)
        #expect(clip.clip(12) == 2.625)
        #expect(clip.mean == 2.3125 && clip.variance == 0.5 + 0.5 * 0.3125 * 0.3125)
    }

    /// The published algorithm, with norms collected in a list and ε = 0.
    @Test("ZClip follows the published algorithm") func zClipReference() {
        var clip = ZClip(largest: 2.5, decay: 0.97, warmup: 25), buffer: [Double] = [], mean = 0.0, variance = 0.0, outliers = 0
        for (step, normal) in normals(1_000, seed: 6).enumerated() {
            let norm = step % 50 == 49 ? 30 + Double(normal) : 2 + 0.3 * Double(normal), clipped = clip.clip(norm)
            if buffer.count < 25 {
                buffer.append(norm)
                mean = buffer.reduce(0, +) / Double(buffer.count)
                variance = buffer.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(buffer.count)
                #expect(clipped == norm)
                continue
            }
            var expected = norm
            let deviation = variance.squareRoot(), z = (norm - mean) / deviation
            if z > 2.5 {
                expected = mean + (2.5 * deviation) / (z / 2.5)
                outliers += 1
            }
            mean = 0.97 * mean + (1 - 0.97) * expected
            variance = 0.97 * variance + (1 - 0.97) * (expected - mean) * (expected - mean)
            // A few roundings a step, of which the statistics forget all but the last 1/(1 − 0.97).
            #expect(abs(clipped - expected) <= 1e-13 * norm)
        }
        #expect(outliers >= 19)
    }

    @Test("Where all norms are alike, a larger one is clipped to them") func zClipWithoutDeviation() {
        var clip = ZClip(largest: 2.5, decay: 0.97, warmup: 3)
        for norm in [2.0, 2, 2, 2, 1, 2] { #expect(clip.clip(norm) == norm) }
        clip = ZClip(largest: 2.5, decay: 0.97, warmup: 2)
        _ = (clip.clip(2), clip.clip(2))
        #expect(clip.clip(5) == 2)
    }

    @Test("A state that cannot be is refused") func states() {
        let clip = ZClip(largest: 2.5, decay: 0.97, warmup: 3)
        #expect(clip.restored(clip.text) == clip)
        for text in ["", "1 2", "4 0 0", "-1 0 0", "1 x 0", "1 0 \(String(Double.nan.bitPattern, radix: 16))", "1 0 bff0000000000000"] {
            #expect(clip.restored(text) == nil, "\(text)")
        }
        let window = AutoClip(percentile: 10, window: 3)
        #expect(window.restored([1, 2, 3])?.norms == [1, 2, 3])
        for norms: [Float] in [[1, 2, 3, 4], [-1], [.nan], [.infinity]] { #expect(window.restored(norms) == nil) }
    }
}

@Suite("Clipping needs")
struct ClippingNeedsTests {
    @Test("time steps for time-norm") func timeNorm() throws {
        let clipping = try Clipping("time-norm(0.5) norm(1)")
        #expect(clipping.timeNorm == 0.5 && clipping.gradientStages == [.norm(1)])
        try clipping.validate(hasRecurrentLayer: true)
        try Clipping.norm(1).validate(hasRecurrentLayer: false)
        #expect(throws: FathomError.invalid(
            "clipping time-norm(0.5) has nothing to do in a network without rnn, lstm or gru; norm(0.5) clips any network")) {
            try clipping.validate(hasRecurrentLayer: false)
        }
    }
}
