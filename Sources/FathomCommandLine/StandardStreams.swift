import Fathom
import Foundation

/// Nobody reads standard output any more, as after `| head`: no error, but nothing more to do.
package struct OutputClosed: Error {}

/// Standard output carries the result, standard error everything else. Both are written at once, whole, and without Swift's buffers,
/// so that a full disk or a closed pipe is seen where it happens.
package enum StandardStreams {
    /// - Throws: `OutputClosed` where the reader is gone, `inputOutput` where writing fails.
    package static func result(_ text: String) throws {
        guard let failure = write(text, to: STDOUT_FILENO) else { return }
        if failure == EPIPE { throw OutputClosed() }
        throw FathomError.inputOutput(unsafe "standard output: \(String(cString: strerror(failure)))")
    }

    /// What goes to standard error is lost silently where it cannot be written: there is nowhere to say so.
    package static func note(_ text: String) {
        _ = write(text + "\n", to: STDERR_FILENO)
    }

    package static func raw(_ text: String) {
        _ = write(text, to: STDERR_FILENO)
    }

    /// The error number, or nil.
    private static func write(_ text: String, to descriptor: Int32) -> Int32? {
        var text = text
        return text.withUTF8 { bytes in
            var written = 0
            while written < bytes.count, let start = bytes.baseAddress {
                let count = unsafe Foundation.write(descriptor, start + written, bytes.count - written)
                if count < 0 && errno != EINTR && errno != EAGAIN { return errno }
                written += max(0, count)
            }
            return nil
        }
    }
}
