import Foundation

/// What standard error can do.
package struct Terminal: Sendable, Equatable {
    /// Whether a line can be redrawn in place.
    package let isInteractive: Bool
    package let hasColor: Bool

    /// A terminal that calls itself dumb counts as none; NO_COLOR, set to anything but nothing, means none (no-color.org).
    package static func current(environment: [String: String] = ProcessInfo.processInfo.environment) -> Terminal {
        let isInteractive = isatty(STDERR_FILENO) == 1 && environment["TERM"] != "dumb"
        return Terminal(isInteractive: isInteractive, hasColor: isInteractive && (environment["NO_COLOR"] ?? "").isEmpty)
    }

    /// Columns of the terminal behind `descriptor`, asked anew each time since windows change; nil where it is none.
    package static func width(of descriptor: Int32 = STDERR_FILENO) -> Int? {
        var size = winsize()
        guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }
}
