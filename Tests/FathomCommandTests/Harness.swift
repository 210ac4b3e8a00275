import Foundation
import Testing

/// The built `fathom`, which lies beside the test bundle.
let fathomBinary: String = {
    let arguments = CommandLine.arguments.map { URL(filePath: $0).deletingLastPathComponent() }
    let bundle = Bundle.main.executableURL?.deletingLastPathComponent()
    let folders = [bundle].compactMap(\.self) + arguments
    let candidates = folders.flatMap { folder in
        [folder, folder.deletingLastPathComponent(), folder.deletingLastPathComponent().deletingLastPathComponent()].map { $0.appending(path: "fathom").path }
    }
    return candidates.first { FileManager.default.isExecutableFile(atPath: $0) } ?? "fathom"
}()

/// What a run of the command left.
struct Outcome {
    let status: Int32
    let output: String
    let errors: String
}

/// A folder of its own for one test, gone with it.
final class Workshop: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "fathom-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func path(_ name: String) -> String { path + "/" + name }

    func write(_ data: Data, _ name: String) throws {
        let url = URL(filePath: path(name))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try data.write(to: url)
    }

    func write(_ text: String, _ name: String) throws { try write(Data(text.utf8), name) }

    func read(_ name: String) throws -> Data { try Data(contentsOf: URL(filePath: path(name))) }

    func lines(_ name: String) throws -> [[String: Any]] { try Self.objects(String(decoding: read(name), as: UTF8.self)) }

    static func objects(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").map { try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
    }

    /// Every path below, in order.
    var contents: [String] { (FileManager.default.enumerator(atPath: path)?.allObjects as? [String] ?? []).sorted() }

    /// A process of `fathom` in this folder, started; its output goes to files beside it, so that no pipe can fill up.
    func start(_ arguments: [String], environment: [String: String] = [:], input: String = "") throws -> Running {
        let running = try Running(folder: path, arguments, environment, input)
        try running.process.run()
        return running
    }

    @discardableResult
    func fathom(_ arguments: String..., environment: [String: String] = [:], input: String = "") throws -> Outcome {
        try start(arguments, environment: environment, input: input).wait()
    }
}

final class Running {
    let process = Process()
    private let streams: String

    init(folder: String, _ arguments: [String], _ environment: [String: String], _ input: String) throws {
        streams = FileManager.default.temporaryDirectory.appending(path: "streams-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: streams, withIntermediateDirectories: true)
        for name in ["in", "out", "err"] { try Data(name == "in" ? input.utf8 : "".utf8).write(to: URL(filePath: streams + "/" + name)) }
        process.executableURL = URL(filePath: fathomBinary)
        process.arguments = arguments
        process.currentDirectoryURL = URL(filePath: folder)
        // A trap must fail a test, not keep it waiting for a backtrace.
        process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { _, new in new }.merging(environment) { _, new in new }
        process.standardInput = try FileHandle(forReadingFrom: URL(filePath: streams + "/in"))
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: streams + "/out"))
        process.standardError = try FileHandle(forWritingTo: URL(filePath: streams + "/err"))
    }

    deinit { try? FileManager.default.removeItem(atPath: streams) }

    var outputSoFar: String { (try? String(contentsOfFile: streams + "/out", encoding: .utf8)) ?? "" }

    func wait() -> Outcome {
        process.waitUntilExit()
        // A signal that was not caught shows as the shell shows it.
        let status = process.terminationReason == .uncaughtSignal ? 128 + process.terminationStatus : process.terminationStatus
        return Outcome(
            status: status, output: outputSoFar, errors: (try? String(contentsOfFile: streams + "/err", encoding: .utf8)) ?? "")
    }
}
