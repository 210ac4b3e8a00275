import Fathom
import Foundation

/// What the shell is told, after BSD's sysexits.
package enum ExitStatus: Int32 {
    case done = 0
    case usage = 64
    case badData = 65
    case noInput = 66
    case `internal` = 70
    case diverged = 71
    case cannotCreate = 73
    case inputOutput = 74
    case interrupted = 130
}

extension FathomError {
    package var exitStatus: ExitStatus {
        switch self {
        case .notation, .invalid, .tooLarge: .badData
        case .noSuchInput: .noInput
        case .cannotCreate: .cannotCreate
        case .inputOutput: .inputOutput
        case .notFinite: .diverged
        }
    }
}

/// A command line that does not fit together, though each part of it parses.
package struct UsageError: Error {
    let message: String
    package init(_ message: String) { self.message = message }
}

/// Ctrl-C or its like: everything has been said and saved.
package struct Interrupted: Error {
    package init() {}
}
