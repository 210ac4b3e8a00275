import CKernels
import Synchronization

/// make(0), make(1), … side by side, begun in this order, on as many threads as kernels may take, those of their team. Each runs its kernels on its own thread alone: small layers
/// are not worth a team. The results are those of one after another.
///
/// - Throws: of those that fail, the error of the first in order; what has not begun by then is left out.
@inlinable package func concurrentMap<Result: Sendable, Failure: Error>(_ count: Int, _ make: @Sendable (Int) throws(Failure) -> Result) throws(Failure) -> [Result] {
    let next = Atomic(0), results = Mutex([Result?](repeating: nil, count: count)), failure = Mutex<(place: Int, error: Failure)?>(nil)
    onTeam(threads: min(count, Kernels.threadsAvailable)) {
        // What has been taken is made, whatever has failed meanwhile: so everything before the first failure is.
        while failure.withLock({ $0 == nil }) {
            let place = next.add(1, ordering: .relaxed).oldValue
            guard place < count else { return }
            do throws(Failure) {
                let result = try make(place)
                results.withLock { $0[place] = result }
            } catch {
                failure.withLock { if $0.map({ place < $0.place }) ?? true { $0 = (place, error) } }
            }
        }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
    return results.withLock { $0.compactMap(\.self) }
}

/// Both, made side by side.
package func concurrently<A: Sendable, B: Sendable>(_ a: @Sendable () throws -> A, _ b: @Sendable () throws -> B) throws -> (A, B) {
    let first = Mutex<A?>(nil), second = Mutex<B?>(nil)
    _ = try concurrentMap(2) { (place) throws in
        if place == 0 {
            let made = try a()
            first.withLock { $0 = made }
        } else {
            let made = try b()
            second.withLock { $0 = made }
        }
    }
    return (first.withLock { $0! }, second.withLock { $0! })
}

/// Runs `body` once on each of up to `threads` threads, the caller's among them, and kernels in it on that thread alone.
@usableFromInline package func onTeam(threads: Int, _ body: @Sendable () -> Void) {
    withoutActuallyEscaping(body) { body in
        withUnsafePointer(to: { Kernels.$threadLimit.withValue(1, operation: body) }) { body in
            fathom_together(Int32(clamping: threads), { $0!.load(as: (@Sendable () -> Void).self)() }, UnsafeMutableRawPointer(mutating: body))
        }
    }
}
