import Dispatch
import FathomCommandLine
import Foundation
import Synchronization

/// Watches for Ctrl-C (SIGINT), SIGTERM and a closed terminal (SIGHUP). The first sets a flag that training looks at after each step; the second ends the process at once.
final class Interruption {
    private let requested: Requested
    private let sources: [any DispatchSourceSignal]

    private final class Requested: Sendable {
        let count = Atomic<Int>(0)
    }

    init() {
        let requested = Requested()
        self.requested = requested
        // nohup asks for SIGHUP to be ignored; SIGINT is heeded even where a shell script started us in the background with it ignored.
        let signals = [SIGINT, SIGTERM] + (Self.isIgnored(SIGHUP) ? [] : [SIGHUP])
        sources = signals.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global(qos: .userInteractive))
            source.setEventHandler {
                if requested.count.add(1, ordering: .relaxed).oldValue > 0 { _exit(ExitStatus.interrupted.rawValue) }
            }
            source.activate()
            return source
        }
    }

    deinit { for source in sources { source.cancel() } }

    var isRequested: Bool { requested.count.load(ordering: .relaxed) > 0 }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard unsafe sigaction(number, nil, &action) == 0 else { return false }
        #if os(Linux)
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
        #else
        return unsafeBitCast(action.__sigaction_u.__sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
        #endif
    }
}
