import Foundation

/// Replaces a file at once or not at all: the data go to a temporary file beside it, reach the disk, and take the name.
///
/// - Throws: `FathomError.cannotCreate` where nothing can be written there, `FathomError.inputOutput` where the disk is full or fails. The old file, if any, is
///   then untouched.
public func writeAtomically(_ data: Data, to url: URL) throws {
    let path = url.path, folder = url.deletingLastPathComponent().path
    let temporary = "\(folder)/.\(url.lastPathComponent).\(getpid()).tmp"
    func fail(_ doing: String) -> FathomError {
        let code = errno, reason = String(cString: strerror(code))
        unlink(temporary)
        let full = [ENOSPC, EDQUOT, EIO, EFBIG].contains(code)
        return full ? .inputOutput("\(path): \(doing) failed: \(reason)") : .cannotCreate("\(path) cannot be written: \(reason)")
    }
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw fail("creating") }
    var written = 0
    while written < data.count {
        let n = data.withUnsafeBytes { write(file, $0.baseAddress! + written, $0.count - written) }
        if n < 0, errno == EINTR { continue }
        guard n > 0 else {
            let error = fail("writing")
            close(file)
            throw error
        }
        written += n
    }
    guard fsync(file) == 0 else {
        let error = fail("writing")
        close(file)
        throw error
    }
    guard close(file) == 0 else { throw fail("writing") }
    guard rename(temporary, path) == 0 else { throw fail("renaming") }
    // The rename itself reaches the disk with the folder. Some file systems refuse this; the file is then as safe as they make it.
    let directory = open(folder, O_RDONLY | O_CLOEXEC)
    if directory >= 0 {
        fsync(directory)
        close(directory)
    }
}
