import Foundation

/// The built `fathom-profiler`, which lies beside the test bundle.
let profilerBinary: URL = {
    let places = [Bundle.main.executableURL].compactMap(\.self) + CommandLine.arguments.map { URL(filePath: $0) }
    let folders = places.flatMap { place in (1...3).map { up in (0..<up).reduce(place) { url, _ in url.deletingLastPathComponent() } } }
    return folders.map { $0.appending(path: "fathom-profiler") }.first { FileManager.default.isExecutableFile(atPath: $0.path) }
        ?? URL(filePath: "fathom-profiler")
}()

func profiler(_ arguments: [String], environment: [String: String] = [:]) throws -> (status: Int32, output: String, errors: String) {
    let process = Process(), output = Pipe(), errors = Pipe()
    (process.executableURL, process.arguments, process.standardOutput, process.standardError) = (profilerBinary, arguments, output, errors)
    // A trap must fail a test, not keep it waiting for a backtrace.
    process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { _, new in new }.merging(environment) { _, new in new }
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let text = try output.fileHandleForReading.readToEnd() ?? Data(), complaint = try errors.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: text, as: UTF8.self), String(decoding: complaint, as: UTF8.self))
}

/// The objects of JSON Lines.
func objects(_ text: String) throws -> [[String: Any]] {
    try text.split(separator: "\n").map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:] }
}
