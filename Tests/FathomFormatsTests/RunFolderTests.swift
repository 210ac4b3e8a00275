import Fathom
import Foundation
import Testing

@testable import FathomFormats

@Suite("Run folders")
struct RunFolderTests {
    private static func withFolder(_ body: (String) throws -> Void) throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "runs-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private static func touch(_ path: String) { _ = FileManager.default.createFile(atPath: path, contents: Data("x".utf8)) }

    @Test("the next free number is taken, gaps first")
    func numbers() throws {
        try Self.withFolder { root in
            try #expect(RunFolder(nextFor: "digits", in: root + "/runs").path == root + "/runs/digits-1")
            try #expect(RunFolder(nextFor: "digits", in: root + "/runs").path == root + "/runs/digits-2")
            try #expect(RunFolder(nextFor: "../a b", in: root + "/runs").path == root + "/runs/run..-a-b-1")
        }
    }

    @Test("trainings that start at once get a folder each")
    func together() async throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "runs-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: root) }
        let paths = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<16 { group.addTask { try RunFolder(nextFor: "x", in: root).path } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(paths.count == 16)
    }

    @Test("a folder is made with its parents, an empty one is taken, a slash at the end is nothing")
    func making() throws {
        try Self.withFolder { root in
            try #expect(RunFolder(creating: root + "/a/b/c/").path == root + "/a/b/c")
            #expect(RunFolder.isFolder(root + "/a/b/c"))
            _ = try RunFolder(creating: root + "/a/b/c")
        }
    }

    @Test("a run is never overwritten; what has no checkpoint yet is started over")
    func protecting() throws {
        try Self.withFolder { root in
            let folder = try RunFolder(creating: root + "/run")
            Self.touch(folder.recipe)
            Self.touch(folder.history)
            _ = try RunFolder(creating: root + "/run")
            Self.touch(folder.checkpoint)
            #expect(throws: FathomError.cannotCreate(
                "\(root)/run already holds a run; go on with it by 'fathom resume \(root)/run', or choose another --output")) {
                try RunFolder(creating: root + "/run")
            }
        }
    }

    @Test("a folder with other things in it is refused, and so is a file")
    func strangers() throws {
        try Self.withFolder { root in
            Self.touch(root + "/thesis.tex")
            #expect(throws: FathomError.cannotCreate("\(root) is neither empty nor a run folder; choose another --output")) { try RunFolder(creating: root) }
            #expect(throws: FathomError.self) { try RunFolder(creating: root + "/thesis.tex") }
            #expect(throws: FathomError.self) { try RunFolder(creating: root + "/thesis.tex/run") }
            #expect(throws: FathomError.self) { try RunFolder(creating: "") }
            try #expect(FileManager.default.contentsOfDirectory(atPath: root) == ["thesis.tex"])
        }
    }

    @Test("what a kill left of a file being written is removed")
    func temporaries() throws {
        try Self.withFolder { root in
            let folder = try RunFolder(creating: root + "/run")
            Self.touch(folder.path + "/.model.safetensors.123.tmp")
            Self.touch(folder.path + "/notes.txt")
            folder.removeTemporaries()
            try #expect(FileManager.default.contentsOfDirectory(atPath: folder.path) == ["notes.txt"])
        }
    }

    @Test("a position comes back from a checkpoint's metadata to the bit")
    func position() throws {
        let position = RunPosition(step: 12, epochLoss: 0.1 + 0.2, rescheduledAt: 7)
        let watching = RunPosition(
            step: 12, epochLoss: 0.1 + 0.2, best: LossWatch(best: 0.7 * 0.1, since: 3), plateau: PlateauState(watch: LossWatch(best: 1 / 3, since: 2), reductions: 4))
        let warned = RunPosition(step: 7, alarms: try Alarms(["alarm_dead": "2 0.linear:3 1.0.linear:1", "alarm_clipping": "0 3 7"], name: "c"))
        #expect(warned != RunPosition(step: 7))
        let hopeless = RunPosition(best: LossWatch(best: .infinity, since: 2))
        for position in [RunPosition(), position, watching, warned, hopeless] {
            #expect(try RunPosition(position.metadata, name: "c") == position)
        }
        #expect(Set(position.metadata.keys) == ["step", "epoch_loss", "rescheduled_at"])
        #expect(throws: FathomError.invalid("c: not the checkpoint of a run: its metadata lack 'epoch_loss'")) { try RunPosition(["step": "1"], name: "c") }
        for (key, text) in [("step", "-1"), ("epoch_loss", "x"), ("best_loss", "?"), ("epochs_since_best", "many"), ("plateau_reductions", "-2"), ("rescheduled_at", "")] {
            #expect(throws: FathomError.invalid("c: its metadata say '\(text)' of '\(key)', which cannot be")) {
                try RunPosition(watching.metadata.merging([key: text]) { $1 }, name: "c")
            }
        }
    }

    @Test("patience ends after so many epochs without a better loss, and none never does")
    func patience() {
        let position = RunPosition(best: LossWatch(best: 1, since: 3))
        #expect([0, 1, 2, 3, 4].map(position.isStopped) == [false, true, true, true, false])
    }

    @Test("changed training rows are told from the ones a run began with")
    func fingerprint() throws {
        let samples = try Samples(columns: 2, features: .floats([1, 2, 3, 4]), targets: .classes([0, 1]))
        let metadata = Fingerprint(samples).metadata
        try Fingerprint(samples).check(metadata, data: "d", checkpoint: "c")
        for other in [
            try Samples(columns: 2, features: .floats([1, 2, 3, 5]), targets: .classes([0, 1])),
            try Samples(columns: 2, features: .floats([1, 2, 3, 4]), targets: .classes([1, 0])),
            try Samples(columns: 1, features: .floats([1, 2]), targets: .classes([0, 1])),
        ] {
            #expect(throws: FathomError.self) { try Fingerprint(other).check(metadata, data: "d", checkpoint: "c") }
        }
    }
}
