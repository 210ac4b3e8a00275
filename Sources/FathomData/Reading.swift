import Fathom
import Foundation

/// The most that a file may hold once unpacked: half of the machine's memory, so that a bomb, or a device without an end, is an error
/// and not the end of the process.
package let memoryLimit = Int(clamping: ProcessInfo.processInfo.physicalMemory / 2)

/// A whole file.
/// - Throws: `FathomError.noSuchInput` where it is absent, a folder or not permitted; `.inputOutput` where reading fails; `.tooLarge`.
package func readBytes(_ path: String, limit: Int = memoryLimit) throws(FathomError) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw .noSuchInput(errno == ENOENT ? "there is no file \(path)" : "cannot read \(path): \(lastError())") }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw .inputOutput("cannot read \(path): \(lastError())") }
    guard status.st_mode & S_IFMT != S_IFDIR else { throw .noSuchInput("\(path) is a folder, not a file") }

    // One byte more than the size, so that a file that has not grown ends with a read of nothing.
    var bytes: [UInt8] = [], capacity = min(max(Int(status.st_size), 0), limit) + 1
    while true {
        var failure: Int32?
        let count = bytes.count
        let grown = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, filled in
            filled = bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0); return $0.count }
            while filled < capacity {
                let got = read(file, buffer.baseAddress! + filled, capacity - filled)
                if got < 0 && errno == EINTR { continue }
                if got < 0 { failure = errno }
                if got <= 0 { break }
                filled += got
            }
        }
        if let failure { throw .inputOutput("cannot read \(path): \(String(cString: strerror(failure)))") }
        if grown.count < capacity { return grown }
        guard grown.count <= limit else { throw .tooLarge("\(path) holds more than \(inGigabytes(limit)), which is more than fits here") }
        (bytes, capacity) = (grown, min(max(2 * count, 2 * capacity, 1 << 16), limit + 1))
    }
}

/// A whole file, unpacked where it is gzipped (told by its first two bytes, not by its name).
func readUnpacked(_ path: String, limit: Int = memoryLimit) throws(FathomError) -> [UInt8] {
    try unpacked(readBytes(path, limit: limit), name: path, limit: limit)
}

func unpacked(_ bytes: [UInt8], name: String, limit: Int = memoryLimit) throws(FathomError) -> [UInt8] {
    bytes.starts(with: [0x1F, 0x8B]) ? try gunzip(bytes, name: name, limit: limit) : bytes
}

func isFolder(_ path: String) -> Bool {
    var folder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &folder) && folder.boolValue
}

func inGigabytes(_ bytes: Int) -> String {
    bytes >= 1 << 30 ? "\((Double(bytes) / 0x1p30 * 10).rounded() / 10) GiB" : "\(bytes) bytes"
}

private func lastError() -> String { String(cString: strerror(errno)) }

/// The name without its folder, `.gz` and extension: "runs/iris.csv.gz" is "iris".
func stem(_ path: String) -> String {
    var name = URL(filePath: path).lastPathComponent
    for suffix in [".gz", ".csv", ".npz", ".npy"] where name.lowercased().hasSuffix(suffix) && name.count > suffix.count {
        name.removeLast(suffix.count)
    }
    return name
}
