import Fathom
import Foundation

/// The folder that a training leaves behind: recipe.yaml, model.safetensors, checkpoint.safetensors, history.jsonl, and best.safetensors where there are
/// validation rows.
public struct RunFolder: Sendable, Equatable {
    /// As given, without a slash at its end.
    public let path: String

    public var recipe: String { path + "/recipe.yaml" }
    public var model: String { path + "/model.safetensors" }
    /// The model with the smallest validation loss.
    public var best: String { path + "/best.safetensors" }
    public var checkpoint: String { path + "/checkpoint.safetensors" }
    public var history: String { path + "/history.jsonl" }

    public var hasCheckpoint: Bool { FileManager.default.fileExists(atPath: checkpoint) }
    public var hasModel: Bool { FileManager.default.fileExists(atPath: model) }

    private init(path: String) {
        var path = path
        while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
        self.path = path
    }

    /// A run folder that exists.
    /// - Throws: `noSuchInput` where there is none, `invalid` where it is something else.
    public init(existing path: String) throws {
        self.init(path: path)
        var isDirectory: ObjCBool = false
        guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw FathomError.noSuchInput("there is no run '\(path)'")
        }
        guard isDirectory.boolValue else {
            throw FathomError.invalid("\(path) is a file, not a run folder")
        }
        guard FileManager.default.fileExists(atPath: recipe) else {
            throw FathomError.invalid("\(path) is not a run folder: it has no recipe.yaml")
        }
    }

    /// Whether `path` is a folder; what is in it decides whether it is a run.
    public static func isFolder(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    /// Makes the next free of `parent/name-1`, `parent/name-2`, …; two trainings that start at once get one each, since mkdir fails for the second.
    public init(nextFor name: String, in parent: String = "runs") throws {
        let plain = String(name.map { $0.isLetter || $0.isNumber || "._-+".contains($0) ? $0 : "-" }.prefix(100))
        let stem = parent + "/" + (plain.isEmpty || plain.hasPrefix(".") ? "run" + plain : plain)
        try Self.makeFolders(parent)
        var number = 1
        while unsafe mkdir("\(stem)-\(number)", 0o777) != 0 {
            guard errno == EEXIST else { throw Self.cannotCreate("\(stem)-\(number)", errno) }
            number += 1
        }
        self.init(path: "\(stem)-\(number)")
    }

    /// Makes the folder that `--output` names. One that holds a training without a checkpoint is emptied of it and started over.
    /// - Throws: `cannotCreate` where there is something to lose, or it cannot be made.
    public init(creating path: String) throws {
        guard !path.isEmpty else { throw FathomError.cannotCreate("--output must name a folder") }
        self.init(path: path)
        var isDirectory: ObjCBool = false
        guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            try Self.makeFolders(self.path)
            return
        }
        guard isDirectory.boolValue else {
            throw FathomError.cannotCreate("the run folder '\(path)' cannot be made: a file of that name is in the way")
        }
        guard !hasCheckpoint && !hasModel else {
            throw FathomError.cannotCreate("\(path) already holds a run; go on with it by 'fathom resume \(path)', or choose another --output")
        }
        let contents = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        let visible = contents.filter { !$0.hasPrefix(".") }
        guard visible.isEmpty || visible.contains("recipe.yaml") || visible == ["history.jsonl"] else {
            throw FathomError.cannotCreate("\(path) is neither empty nor a run folder; choose another --output")
        }
    }

    /// Writes `recipe.yaml`, whole or not at all.
    public func write(_ recipe: Recipe) throws {
        try writeAtomically(Data(recipe.yaml().utf8), to: URL(filePath: self.recipe))
    }

    /// What a kill may have left of files that were being written.
    public func removeTemporaries() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] where name.hasPrefix(".") && name.hasSuffix(".tmp") {
            unsafe unlink("\(path)/\(name)")
        }
    }

    /// mkdir -p.
    /// - Parameter kind: what errors call it.
    package static func makeFolders(_ path: String, kind: String = "run folder") throws {
        guard !isFolder(path), unsafe mkdir(path, 0o777) != 0, errno != EEXIST || !isFolder(path) else { return }
        let reason = errno
        let parent = (path as NSString).deletingLastPathComponent
        guard reason == ENOENT, !parent.isEmpty, parent != path, !isFolder(parent) else { throw cannotCreate(path, reason, kind) }
        try makeFolders(parent, kind: kind)
        guard unsafe mkdir(path, 0o777) == 0 || errno == EEXIST else { throw cannotCreate(path, errno, kind) }
    }

    private static func cannotCreate(_ path: String, _ code: Int32, _ kind: String = "run folder") -> FathomError {
        let reason = unsafe String(cString: strerror(code))
        return code == ENOSPC
            ? .inputOutput("the \(kind) '\(path)' cannot be made: \(reason)")
            : .cannotCreate("the \(kind) '\(path)' cannot be made: \(code == EEXIST ? "a file of that name is in the way" : reason)")
    }
}
