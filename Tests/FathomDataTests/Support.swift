import Fathom
import Foundation
import Testing

/// A folder for a test's files; `$` in a message stands for it.
final class Scratch {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "fathom-data-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file and gives its path.
    @discardableResult
    func file(_ name: String, _ content: some Sequence<UInt8>) throws -> String {
        let url = URL(filePath: path).appending(path: name)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(content).write(to: url)
        return url.path
    }

    @discardableResult
    func file(_ name: String, _ content: String) throws -> String { try file(name, content.utf8) }

    /// What goes wrong, with the folder written as `$`.
    func message<Value>(_ body: () throws -> Value) -> String {
        do {
            _ = try body()
            return "nothing goes wrong"
        } catch {
            return "\(error)".replacing(path, with: "$")
        }
    }
}

extension Samples {
    var floats: [Float] {
        switch features {
        case .bytes(let bytes): bytes.map { Float($0) }
        case .floats(let floats): floats
        }
    }

    var classes: [Int32]? { if case .classes(let classes) = targets { classes } else { nil } }
    var values: [Float]? { if case .values(let values, _) = targets { values } else { nil } }
}

/// Bytes of big-endian 32-bit numbers.
func bigEndian(_ numbers: UInt32...) -> [UInt8] {
    numbers.flatMap { number in (0 ..< 4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) } }
}

/// Packed by the machine's gzip, an implementation that is not the one under test.
func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
    let process = Process(), input = Pipe(), output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["gzip", "-9", "-c"]
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    let writer = Thread { try? input.fileHandleForWriting.write(contentsOf: Data(bytes)); try? input.fileHandleForWriting.close() }
    writer.start()
    let packed = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return [UInt8](packed)
}
