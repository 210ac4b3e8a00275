import Foundation

/// Replaces a file at once or not at all: the data go to a temporary file beside it, reach the disk, and take the name.
///
/// - Throws: `FathomError.cannotCreate` where nothing can be written there, `FathomError.inputOutput` where the disk is full or fails. The old file, if any, is
///   then untouched.
public func writeAtomically(_ data: Data, to url: URL) throws {
    try writeAtomically(to: url) { write in try data.withUnsafeBytes(write) }
}

/// The same with data that come in pieces.
///
/// - Parameter body: is given what writes a piece. What it throws is thrown on, and the old file is then untouched too.
func writeAtomically(to url: URL, _ body: (_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
    let path = url.path, folder = url.deletingLastPathComponent().path
    let temporary = "\(folder)/.\(url.lastPathComponent).\(getpid()).tmp"
    func failure(_ doing: String) -> FathomError {
        let code = errno, reason = String(cString: strerror(code))
        let full = [ENOSPC, EDQUOT, EIO, EFBIG].contains(code)
        return full ? .inputOutput("\(path): \(doing) failed: \(reason)") : .cannotCreate("\(path) cannot be written: \(reason)")
    }
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw failure("creating") }
    var isOpen = true
    do {
        try body { bytes in
            var written = 0
            while written < bytes.count {
                let n = write(file, bytes.baseAddress! + written, bytes.count - written)
                if n < 0, errno == EINTR { continue }
                guard n > 0 else { throw failure("writing") }
                written += n
            }
        }
        guard fsync(file) == 0 else { throw failure("writing") }
        isOpen = false
        guard close(file) == 0 else { throw failure("writing") }
        guard rename(temporary, path) == 0 else { throw failure("renaming") }
    } catch {
        if isOpen { close(file) }
        unlink(temporary)
        throw error
    }
    // The rename itself reaches the disk with the folder. Some file systems refuse this; the file is then as safe as they make it.
    let directory = open(folder, O_RDONLY | O_CLOEXEC)
    if directory >= 0 {
        fsync(directory)
        close(directory)
    }
}
