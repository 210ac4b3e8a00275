import Fathom
import Foundation

/// `history.jsonl`, open for appending. Lines are gathered and written together; the file is locked, so that one process at a time trains in a folder.
public final class History {
    private let path: String
    private let descriptor: Int32
    private var pending: [UInt8] = []

    private init(path: String, flags: Int32) throws {
        self.path = path
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0o666)
        guard descriptor >= 0 else {
            let reason = unsafe String(cString: strerror(errno))
            throw errno == ENOSPC ? FathomError.inputOutput("\(path): \(reason)") : FathomError.cannotCreate("\(path): \(reason)")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw FathomError.cannotCreate("\(path): another fathom is training in this folder")
        }
    }

    deinit { close(descriptor) }

    /// An empty history at `path`, in place of what was there.
    /// - Throws: `cannotCreate` where the file cannot be made, or another process holds it.
    public convenience init(creating path: String) throws {
        try self.init(path: path, flags: 0)
        try cut(to: 0)
    }

    /// The history at `path`, without what came after `step`: later steps, epochs that were not complete then, ends, and a line that a kill tore.
    public convenience init(resuming path: String, at step: Int, completedEpochs: Int) throws {
        try self.init(path: path, flags: 0)
        let contents = try Data(contentsOf: URL(filePath: path), options: .mappedIfSafe)
        try cut(to: Self.length(of: contents, at: step, completedEpochs: completedEpochs))
    }

    /// Adds a line, written with the next `flush`.
    /// - Parameter line: without its end, in UTF-8.
    public func append(_ line: [UInt8]) {
        pending += line
        pending.append(UInt8(ascii: "\n"))
    }

    /// Hands what is pending to the system.
    /// - Throws: `inputOutput`, on a full disk for one; the file then ends in a whole line.
    public func flush() throws {
        guard !pending.isEmpty else { return }
        let start = lseek(descriptor, 0, SEEK_CUR)
        var written = 0
        while written < pending.count {
            let count = unsafe pending.withUnsafeBytes { bytes in
                unsafe write(descriptor, bytes.baseAddress.map { unsafe $0 + written }, bytes.count - written)
            }
            if count < 0 {
                if errno == EINTR { continue }
                let reason = unsafe String(cString: strerror(errno))
                try? cut(to: Int(start))
                throw FathomError.inputOutput("\(path): \(reason)")
            }
            written += count
        }
        pending.removeAll(keepingCapacity: true)
    }

    /// `flush`, and waits until it is on the disk: a checkpoint must not be newer than the history it belongs to.
    public func synchronize() throws {
        try flush()
        guard fsync(descriptor) == 0 || errno == EINVAL else {
            throw FathomError.inputOutput(unsafe "\(path): \(String(cString: strerror(errno)))")
        }
    }

    private func cut(to length: Int) throws {
        guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, off_t(length), SEEK_SET) >= 0 else {
            throw FathomError.inputOutput(unsafe "\(path): \(String(cString: strerror(errno)))")
        }
    }

    /// Lines are in order, so those to keep come first: read from the end, the first line to keep ends the search.
    ///
    /// An alarm stands behind its step; one behind an epoch is of the end of a run that goes on now.
    static func length(of contents: Data, at step: Int, completedEpochs: Int) -> Int {
        struct Line: Decodable { let event: String; let step: Int?; let epoch: Int? }
        let newline = UInt8(ascii: "\n")
        func startOfLine(endingAt end: Int) -> Int { contents[..<(end - 1)].lastIndex(of: newline).map { $0 + 1 } ?? contents.startIndex }
        func line(_ range: Range<Int>) -> Line? { try? JSONDecoder().decode(Line.self, from: contents[range]) }
        var end = contents.lastIndex(of: newline).map { $0 + 1 } ?? contents.startIndex
        while end > contents.startIndex {
            let start = startOfLine(endingAt: end)
            if let found = line(start..<end) {
                let isKept = switch found.event {
                case "start": found.step.map { $0 < step } ?? true
                case "step": found.step.map { $0 <= step } ?? false
                case "alarm": found.step.map { $0 <= step } ?? false && start > contents.startIndex && line(startOfLine(endingAt: start)..<start)?.event != "epoch"
                case "epoch": found.epoch.map { $0 <= completedEpochs } ?? false
                default: false
                }
                if isKept { break }
            }
            end = start
        }
        return end - contents.startIndex
    }
}

extension History {
    /// Whether the last line at `path` says that training was completed.
    public static func isCompleted(_ path: String) -> Bool {
        struct Line: Decodable { let event: String; let outcome: String? }
        guard let contents = try? Data(contentsOf: URL(filePath: path), options: .mappedIfSafe), let last = contents.split(separator: UInt8(ascii: "\n")).last,
            let line = try? JSONDecoder().decode(Line.self, from: Data(last)) else { return false }
        return line.event == "end" && line.outcome == Event.Outcome.completed.rawValue
    }
}

/// Which steps are written: every one of a run of up to 10,000, of a longer one 10,000 evenly spaced, with the layers in at most 1,000.
public struct HistorySampling: Sendable {
    let totalSteps: Int
    let instruments: Instruments

    public init(totalSteps: Int, instruments: Instruments) {
        self.totalSteps = totalSteps
        self.instruments = instruments
    }

    /// - Parameter step: from 1.
    public func writes(_ step: Int) -> Bool {
        if case .full = instruments { return true }
        return isPicked(step, of: 10_000) || (!isThinned && writesLayers(step))
    }

    /// Where every n-th step would be more than 1,000, they are 1,000 evenly spaced, each of them one of the 10,000.
    public func writesLayers(_ step: Int) -> Bool {
        switch instruments {
        case .none: false
        case .summary(let every): isThinned ? isPicked(step, of: 1_000) : step.isMultiple(of: every)
        case .full(let every): step.isMultiple(of: every)
        }
    }

    /// Whether every n-th step would be more than 1,000.
    private var isThinned: Bool { if case .summary(let every) = instruments { totalSteps / every > 1_000 } else { false } }

    /// Whether this is one of `count` evenly spaced steps: those where ⌊step·count/total⌋ grows, which leave less than `count` of the product. The last step is one of them.
    private func isPicked(_ step: Int, of count: UInt) -> Bool {
        guard totalSteps > count else { return true }
        return UInt(totalSteps).dividingFullWidth(UInt(step).multipliedFullWidth(by: count)).remainder < count
    }
}
