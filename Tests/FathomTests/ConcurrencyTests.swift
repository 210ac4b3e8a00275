@testable import Fathom
import Synchronization
import Testing

@Suite("Side by side") struct ConcurrencyTests {
    struct Refusal: Error, Equatable { let place: Int }

    @Test("Results keep their order, and kernels stay on the thread that asks") func order() throws {
        let results = Kernels.$threadLimit.withValue(3) { concurrentMap(200) { [$0, Kernels.threadsAvailable] } }
        #expect(results == (0..<200).map { [$0, 1] })
        let none = concurrentMap(0) { $0 }, some = concurrentMap(3) { $0 == 1 ? nil : $0 }, both = try concurrently({ "a" }, { 1 })
        #expect(none.isEmpty && some == [0, nil, 2] && both == ("a", 1))
    }

    @Test("Three that wait for each other meet: each has a thread of its own") func together() {
        let begun = Atomic(0)
        let met = Kernels.$threadLimit.withValue(3) {
            concurrentMap(3) { _ in
                begun.add(1, ordering: .relaxed)
                let start = ContinuousClock.now
                while begun.load(ordering: .relaxed) < 3, .now - start < .seconds(20) {}
                return begun.load(ordering: .relaxed)
            }
        }
        #expect(met == [3, 3, 3])
    }

    @Test("The first failure is thrown, and what has not begun is left out", arguments: [1, 2, 4]) func failure(threads: Int) {
        let begun = Atomic(0)
        #expect(throws: Refusal(place: 5)) {
            try Kernels.$threadLimit.withValue(threads) {
                try concurrentMap(100_000) { place in
                    begun.add(1, ordering: .relaxed)
                    if place >= 5 { throw Refusal(place: place) }
                }
            }
        }
        #expect(begun.load(ordering: .relaxed) < 100_000)
    }
}
