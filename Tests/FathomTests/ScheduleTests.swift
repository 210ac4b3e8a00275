import Fathom
import Foundation
import Testing

@Suite("Schedules")
struct ScheduleTests {
    /// The factors of a whole training.
    private static func factors(_ schedule: Schedule, steps: Int, stepsPerEpoch: Int = 10) -> [Double] {
        (0..<steps).map { schedule.multiplier(step: $0, of: steps, stepsPerEpoch: stepsPerEpoch) }
    }

    /// Sums and products of a few float64 numbers of at most 1, and a cosine within a few units of 1e-16: a handful of roundings of 1.1e-16.
    private static let roundings = 1e-15

    @Test("constant is 1") func constant() {
        #expect([0, 1, 1_000_000].map { Schedule.constant.multiplier(step: $0, of: 10, stepsPerEpoch: 3) } == [1, 1, 1])
    }

    @Test("What follows the length of the training has a horizon, and so has a warm-up that is a share of it") func horizon() {
        for schedule in [Schedule.constant, .step(epochs: 1, factor: 0.5), .plateau(), Schedule(.constant, warmup: 20)] { #expect(!schedule.hasHorizon) }
        for schedule in [Schedule.linear(), .cosine(), .oneCycle(), .warmupStableDecay(), Schedule(.constant, warmup: 0.1), .plateau(warmup: 0.1)] {
            #expect(schedule.hasHorizon)
        }
    }

    @Test("linear falls by equal steps to the end") func linear() {
        #expect(Self.factors(.linear(), steps: 4) == [1, 0.75, 0.5, 0.25])
        #expect(Self.factors(.linear(warmup: 2, end: 0.5), steps: 6) == [0.5, 1, 1, 0.875, 0.75, 0.625])
        #expect([4, 5, Int.max].map { Schedule.linear(end: 0.25).multiplier(step: $0, of: 4, stepsPerEpoch: 1) } == [0.25, 0.25, 0.25])
    }

    @Test("cosine climbs by equal steps to 1, then follows half a cosine to the end") func cosine() {
        let schedule = Schedule.cosine(warmup: 4)
        #expect((0..<5).map { schedule.multiplier(step: $0, of: 104, stepsPerEpoch: 10) } == [0.25, 0.5, 0.75, 1, 1])
        for step in 4..<104 {
            let exact = 0.5 * (1 + cos(Double.pi * Double(step - 4) / 100))
            #expect(abs(schedule.multiplier(step: step, of: 104, stepsPerEpoch: 10) - exact) <= Self.roundings)
            let above = Schedule.cosine(warmup: 4, end: 0.1).multiplier(step: step, of: 104, stepsPerEpoch: 10)
            #expect(abs(above - (0.1 + 0.9 * exact)) <= Self.roundings)
        }
        #expect(schedule.multiplier(step: 54, of: 104, stepsPerEpoch: 10) == 0.5)
        #expect(schedule.multiplier(step: 104, of: 104, stepsPerEpoch: 10) == 0)
        #expect(schedule.multiplier(step: Int.max, of: 104, stepsPerEpoch: 10) == 0)
    }

    @Test("A warm-up climbs by equal steps to whatever shape follows, in steps or as a share of the training") func warmup() {
        let climb = [0.25, 0.5, 0.75, 1]
        for schedule in [
            Schedule(.constant, warmup: 4), .linear(warmup: 4), .cosine(warmup: 4), .step(epochs: 1, factor: 0.5, warmup: 4), .warmupStableDecay(warmup: 4),
            .plateau(warmup: 4), .cosine(warmup: 0.1), .linear(warmup: 0.1),
        ] {
            #expect(Array(Self.factors(schedule, steps: 40).prefix(4)) == climb, "\(schedule)")
        }
        #expect(Self.factors(.step(epochs: 1, factor: 0.5, warmup: 4), steps: 6, stepsPerEpoch: 2) == [0.25, 0.5, 0.375, 0.5, 0.25, 0.25])
    }

    @Test("A warm-up longer than the training is cut off, and one without a training left is harmless") func longWarmup() {
        #expect(Schedule.cosine(warmup: 100).multiplier(step: 9, of: 10, stepsPerEpoch: 1) == 0.1)
        #expect(Schedule.cosine(warmup: 100).multiplier(step: 100, of: 10, stepsPerEpoch: 1) == 1)
        #expect(Schedule.warmupStableDecay(warmup: 8, decay: 8).multiplier(step: 9, of: 10, stepsPerEpoch: 1) == 1 - 0.5.squareRoot())
        for schedule in [Schedule.constant, .linear(), .cosine(), .step(epochs: 1, factor: 0.5), .warmupStableDecay(), .plateau()] {
            #expect(schedule.multiplier(step: 0, of: 0, stepsPerEpoch: 0) == 1, "\(schedule)")
        }
        for steps in 0..<5 {
            for factor in Self.factors(.oneCycle(), steps: steps) { #expect((4e-6...1).contains(factor)) }
        }
    }

    @Test("step multiplies after every so many epochs") func step() {
        let schedule = Schedule.step(epochs: 2, factor: 0.5)
        #expect((0..<7).map { schedule.multiplier(step: $0 * 10, of: 0, stepsPerEpoch: 10) } == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125])
        #expect(schedule.multiplier(step: 19, of: 0, stepsPerEpoch: 10) == 1)
        #expect(schedule.multiplier(step: Int.max, of: 0, stepsPerEpoch: 0) == 0)
    }

    /// torch 2.15: `OneCycleLR(SGD([p], lr=1.0), max_lr=1.0, total_steps=97)` in float64, the rate of step s.
    @Test("one-cycle is PyTorch's", arguments: [
        (0, 0.040000000000000036), (1, 0.04299671839648689), (10, 0.31001069184624297), (28, 0.9999700018948132), (29, 0.9995665682400687),
        (50, 0.7645462747065727), (95, 0.0005390828007909834), (96, 4e-06),
    ])
    func oneCycle(step: Int, torch: Double) {
        #expect(abs(Schedule.oneCycle().multiplier(step: step, of: 97, stepsPerEpoch: 10) - torch) <= Self.roundings)
    }

    @Test("one-cycle climbs over so many steps where its warm-up is a number of steps") func oneCycleSteps() {
        let factors = Self.factors(.oneCycle(warmup: 5, start: 0.5, end: 0.25), steps: 11)
        #expect(factors[0] == 0.5 && factors[2] == 0.75 && factors[4] == 1 && factors[7] == 0.625 && factors[10] == 0.25)
    }

    @Test("warmup-stable-decay stays at 1 until its last steps, and falls by the root of what is done of them") func stable() {
        let exact = (0..<20).map { $0 < 16 ? 1 : 1 - (Double($0 - 16) / 4).squareRoot() }
        #expect(Self.factors(.warmupStableDecay(decay: 4), steps: 20) == exact)
        #expect(Self.factors(.warmupStableDecay(decay: 0.2), steps: 20) == exact)
        #expect(Self.factors(.warmupStableDecay(decay: 4, end: 0.5), steps: 20)[17] == 0.75)
        #expect(Schedule.warmupStableDecay().multiplier(step: 20, of: 20, stepsPerEpoch: 1) == 0)
    }

    @Test("plateau multiplies each time that the loss has not improved for so many epochs") func plateau() {
        let schedule = Schedule.plateau(factor: 0.5, patience: 2, threshold: 0.1)
        var state = PlateauState()
        // 0.95 and 0.91 are better than 1, but by less than a tenth; 0.8 is better by more; NaN is never better.
        let reductions = [1, 0.95, 0.91, 0.8, 0.8, 0.75, 0.73, .nan, 0.1].map { loss in
            state.see(loss, schedule)
            return state.reductions
        }
        #expect(reductions == [0, 0, 1, 1, 1, 2, 2, 3, 3])
        #expect(state.watch == LossWatch(best: 0.1))
        #expect((0...3).map { schedule.multiplier(step: 7, of: 9, stepsPerEpoch: 1, reductions: $0) } == [1, 0.5, 0.25, 0.125])
        var other = PlateauState()
        for loss in [1.0, 2, 3, 4] { other.see(loss, .constant) }
        #expect(other == PlateauState())
    }

    @Test("A watch knows the smallest loss and how long ago it was; equal is not smaller") func watch() {
        var watch = LossWatch()
        #expect([.nan, 3, 2, 2, 4, 1].map { watch.see($0) } == [false, true, true, false, false, true])
        #expect(watch == LossWatch(best: 1, since: 0))
        watch.see(.infinity)
        #expect(watch.since == 1)
    }
}
