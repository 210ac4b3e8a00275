import Fathom
import Foundation
import Testing

@Suite("Schedules")
struct ScheduleTests {
    @Test("constant is 1") func constant() {
        #expect([0, 1, 1_000_000].map { Schedule.constant.multiplier(step: $0, of: 10, stepsPerEpoch: 3) } == [1, 1, 1])
        #expect(!Schedule.constant.hasHorizon && !Schedule.step(epochs: 1, factor: 0.5).hasHorizon && Schedule.cosine().hasHorizon)
    }

    @Test("cosine climbs by equal steps to 1, then follows half a cosine to the end") func cosine() {
        let schedule = Schedule.cosine(warmup: 4)
        #expect((0..<5).map { schedule.multiplier(step: $0, of: 104, stepsPerEpoch: 10) } == [0.25, 0.5, 0.75, 1, 1])
        for step in 4..<104 {
            let exact = 0.5 * (1 + cos(Double.pi * Double(step - 4) / 100))
            // The sum 1 + cos rounds to within 1e-16, the cosines to within a few units of 1e-16 of each other.
            #expect(abs(schedule.multiplier(step: step, of: 104, stepsPerEpoch: 10) - exact) <= 5e-16)
        }
        #expect(schedule.multiplier(step: 54, of: 104, stepsPerEpoch: 10) == 0.5)
        #expect(schedule.multiplier(step: 104, of: 104, stepsPerEpoch: 10) == 0)
        #expect(schedule.multiplier(step: Int.max, of: 104, stepsPerEpoch: 10) == 0)
    }

    @Test("A warm-up longer than the training is cut off, and one without a training left is harmless") func longWarmup() {
        #expect(Schedule.cosine(warmup: 100).multiplier(step: 9, of: 10, stepsPerEpoch: 1) == 0.1)
        #expect(Schedule.cosine(warmup: 100).multiplier(step: 100, of: 10, stepsPerEpoch: 1) == 1)
        #expect(Schedule.cosine().multiplier(step: 0, of: 0, stepsPerEpoch: 0) == 1)
    }

    @Test("step multiplies after every so many epochs") func step() {
        let schedule = Schedule.step(epochs: 2, factor: 0.5)
        #expect((0..<7).map { schedule.multiplier(step: $0 * 10, of: 0, stepsPerEpoch: 10) } == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125])
        #expect(schedule.multiplier(step: 19, of: 0, stepsPerEpoch: 10) == 1)
        #expect(schedule.multiplier(step: Int.max, of: 0, stepsPerEpoch: 0) == 0)
    }
}
