import Fathom
import Foundation
import Testing

@Suite("A full disk")
struct FullDiskTests {
    /// Mounting needs rights that not every machine gives.
    private static func mount(_ path: String, kilobytes: Int) -> Bool {
        run("/bin/mount", "-t", "tmpfs", "-o", "size=\(kilobytes)k", "tmpfs", path)
    }

    private static func run(_ tool: String, _ arguments: String...) -> Bool {
        let process = Process()
        process.executableURL = URL(filePath: tool)
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    @Test("ends the run with what is saved, and the run goes on when there is room")
    func full() throws {
        let workshop = try Workshop()
        try FileManager.default.createDirectory(atPath: workshop.path("disk"), withIntermediateDirectories: true)
        guard Self.mount(workshop.path("disk"), kilobytes: 120) else { return }
        defer { _ = Self.run("/bin/umount", workshop.path("disk")) }
        let flags = ["train"] + digits + ["--epochs", "40", "--checkpoint", "every: 10"]
        let outcome = try workshop.start(flags + ["--output", "disk/run"]).wait()
        #expect(outcome.status == 74, "\(outcome.errors)")
        #expect(outcome.errors.contains("No space left") && outcome.errors.contains("fathom resume disk/run"), "\(outcome.errors)")
        #expect(!workshop.contents.contains { $0.hasSuffix(".tmp") })
        #expect(try workshop.fathom("evaluate", "disk/run").status == 0)
        #expect(Self.run("/bin/mount", "-o", "remount,size=9999k", workshop.path("disk")))
        #expect(try workshop.fathom("resume", "disk/run", "--quiet").status == 0)
        _ = try workshop.start(flags + ["--output", "whole"]).wait()
        try expectSameRun(workshop, "whole", "disk/run")
    }

    @Test("gives a result that cannot be written its own status", .enabled(if: FileManager.default.fileExists(atPath: "/dev/full")))
    func standardOutput() throws {
        let process = Process()
        process.executableURL = URL(filePath: fathomBinary)
        process.arguments = ["datasets"]
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: "/dev/full"))
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 74)
    }
}
