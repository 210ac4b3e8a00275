import Testing

@testable import Fathom

/// A machine on which a step takes `seconds(threads)`; steps are given to the choice as a trainer gives them.
@Suite struct ThreadChoiceTests {
    /// The number of threads of each of `steps` steps.
    private func run(_ choice: inout ThreadChoice, steps: Int, _ seconds: (Int) -> Double) -> [Int] {
        (0..<steps).map { _ in
            let count = choice.count
            choice.record(seconds(count))
            return count
        }
    }

    @Test func allThreadsWhereTheyHelp() {
        var choice = ThreadChoice(most: 8)
        let counts = run(&choice, steps: 10_000) { 1 / Double($0) }
        #expect(counts.filter { $0 == 8 }.count > 9_800)
        #expect(counts.allSatisfy { $0 == 8 || $0 == 4 })
    }

    @Test func oneThreadWhereOthersHinder() {
        var choice = ThreadChoice(most: 8)
        let counts = run(&choice, steps: 10_000) { Double($0) }
        #expect(counts.suffix(9_000).filter { $0 == 1 }.count > 8_800)
        #expect(counts.firstIndex(of: 1)! < 100, "found within a hundred steps")
    }

    @Test func theBestInBetween() {
        var choice = ThreadChoice(most: 16)
        let counts = run(&choice, steps: 10_000) { abs(Double($0) - 4) + 1 }
        #expect(counts.suffix(9_000).filter { $0 == 4 }.count > 8_700)
    }

    @Test func followsAMachineThatIsShared() {
        var choice = ThreadChoice(most: 2)
        _ = run(&choice, steps: 5_000) { 1 / Double($0) }
        let shared = run(&choice, steps: 1_000) { $0 == 2 ? 2 : 1 }
        #expect(shared.firstIndex(of: 1)! <= 15 && shared.suffix(900).filter { $0 == 1 }.count > 800)
        let alone = run(&choice, steps: 5_000) { 1 / Double($0) }
        #expect(alone.suffix(1_000).filter { $0 == 2 }.count > 980)
    }

    @Test func takesBackWhatAnotherProgramLeaves() {
        var choice = ThreadChoice(most: 16)
        // More than four wait for processors, and for each other; four have two thirds of theirs.
        _ = run(&choice, steps: 20_000) { $0 > 4 ? Double($0) / 8 : 1.5 / Double($0) }
        #expect(choice.count == 4, "settled on what the machine has left")
        let alone = run(&choice, steps: 1_000) { 1 / Double($0) }
        #expect(alone.prefix(20).contains(16) && alone.filter { $0 == 16 }.count > 900)
    }

    @Test func differencesWithinAFewPercentChangeNothing() {
        var choice = ThreadChoice(most: 2), step = 0
        let counts = run(&choice, steps: 5_000) { threads in
            step += 1
            return (threads == 2 ? 1 : 0.97) * (1 + 0.01 * Double(step % 3))
        }
        #expect(counts.filter { $0 == 2 }.count > 4_800)
    }

    @Test func aLostTrialEndsWithItsThirdStep() {
        var choice = ThreadChoice(most: 2), step = 0
        let counts = run(&choice, steps: 2_000) { threads in
            step += 1
            return threads == 2 ? 1 : step % 7 == 0 ? 0.5 : 1.8  // now and then a step that is faster by chance
        }
        let trials = counts.split(separator: 2).map(\.count)
        #expect(trials.count > 4 && trials.allSatisfy { 3...4 ~= $0 } && trials.contains(3))
    }

    @Test func oneIsOne() {
        var choice = ThreadChoice(most: 1)
        #expect(Set(run(&choice, steps: 1_000) { _ in 1 }) == [1])
        choice.most = 4
        #expect(choice.count == 4)
    }

    /// Its calls, not those of whichever size of batch came up last.
    @Test(arguments: [1, 2]) func whatBelongsToAStepRunsOnAsManyAsItsCallsPayFor(passes: Int) throws {
        let samples = try TrainerTests.samples(4_096, columns: 64, classes: 3)
        let trainer = try Trainer(
            Network("[linear(16) tanh] * 2 linear(3)"), inputs: 64, loss: .crossEntropy, optimizer: .sgd(learningRate: 0.1), passes: passes, seed: 1, threads: 2)
        trainer.adaptsThreads = false
        let threads = try [1, 4_096, 1, 4_096, 4_096].map { rows in
            try trainer.step(samples, order: Array(0..<4_096), first: 0, rows: rows)
            return trainer.threadsOfStep
        }
        #expect(threads == [1, 2, 1, 2, 2])
    }
}
