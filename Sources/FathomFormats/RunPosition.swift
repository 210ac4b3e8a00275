import CZlib
import Fathom

/// Where a training stands between two steps, beside what the trainer knows: with its checkpoint, everything needed to go on bit for bit.
public struct RunPosition: Sendable, Equatable {
    /// Steps taken.
    public var step: Int
    /// Σ loss·rows over the current epoch's steps so far.
    public var epochLoss: Double
    /// Of the validation losses after whole epochs.
    public var best: LossWatch
    public var plateau: PlateauState
    /// What was seen of the layers, and warned of.
    public var alarms: Alarms
    /// The step at which a resumed run was given a new schedule; its recipe alone then does not repeat it.
    public var rescheduledAt: Int?

    public init(
        step: Int = 0, epochLoss: Double = 0, best: LossWatch = LossWatch(), plateau: PlateauState = PlateauState(), alarms: Alarms = Alarms(),
        rescheduledAt: Int? = nil
    ) {
        self.step = step
        self.epochLoss = epochLoss
        self.best = best
        self.plateau = plateau
        self.alarms = alarms
        self.rescheduledAt = rescheduledAt
    }

    /// Whether the last `patience` epochs have not had a better validation loss; never where patience is 0.
    public func isStopped(patience: Int) -> Bool { patience > 0 && best.since >= patience }

    /// Losses as their bits, so that they come back exactly. What has seen nothing yet is left out.
    public var metadata: [String: String] {
        var metadata = ["step": "\(step)", "epoch_loss": epochLoss.bits]
        if best != LossWatch() {
            metadata["best_loss"] = best.best.bits
            metadata["epochs_since_best"] = "\(best.since)"
        }
        if plateau != PlateauState() {
            metadata["plateau_loss"] = plateau.watch.best.bits
            metadata["plateau_epochs"] = "\(plateau.watch.since)"
            metadata["plateau_reductions"] = "\(plateau.reductions)"
        }
        metadata["rescheduled_at"] = rescheduledAt.map(String.init)
        return metadata.merging(alarms.metadata) { _, new in new }
    }

    /// - Throws: `FathomError.invalid` where a checkpoint's metadata lack it, or hold something else.
    public init(_ metadata: [String: String], name: String) throws {
        func value<Value>(_ key: String, _ standard: Value? = nil, _ read: (String) -> Value?) throws -> Value {
            guard let text = metadata[key] else {
                guard let standard else { throw FathomError.invalid("\(name): not the checkpoint of a run: its metadata lack '\(key)'") }
                return standard
            }
            guard let value = read(text) else { throw FathomError.invalid("\(name): its metadata say '\(text)' of '\(key)', which cannot be") }
            return value
        }
        func count(_ key: String, _ standard: Int? = nil) throws -> Int { try value(key, standard) { Int($0).flatMap { $0 >= 0 ? $0 : nil } } }
        func loss(_ key: String, _ standard: Double? = nil) throws -> Double { try value(key, standard, Double.init(bits:)) }
        self.init(
            step: try count("step"), epochLoss: try loss("epoch_loss"), best: LossWatch(best: try loss("best_loss", .infinity), since: try count("epochs_since_best", 0)),
            plateau: PlateauState(
                watch: LossWatch(best: try loss("plateau_loss", .infinity), since: try count("plateau_epochs", 0)), reductions: try count("plateau_reductions", 0)),
            alarms: try Alarms(metadata, name: name), rescheduledAt: try value("rescheduled_at", .some(nil)) { Int($0).map(Optional.some) })
    }
}

extension Double {
    fileprivate var bits: String { String(bitPattern, radix: 16) }

    fileprivate init?(bits: String) {
        guard let pattern = UInt64(bits, radix: 16) else { return nil }
        self.init(bitPattern: pattern)
    }
}

/// What tells one training split from another: its size and a checksum (CRC-32) of features and targets.
public struct Fingerprint: Sendable, Equatable {
    public let rows: Int
    public let columns: Int
    public let checksum: UInt32

    /// One pass over the samples, at about 1 GB/s.
    public init(_ samples: Samples) {
        rows = samples.count
        columns = samples.columns
        var sum = crc32(0, nil, 0)
        switch samples.features {
        case .bytes(let values): Self.add(values, to: &sum)
        case .floats(let values): Self.add(values, to: &sum)
        }
        switch samples.targets {
        case .none: break
        case .classes(let classes), .stepClasses(let classes, _): Self.add(classes, to: &sum)
        case .values(let values, _): Self.add(values, to: &sum)
        }
        checksum = UInt32(truncatingIfNeeded: sum)
    }

    public var metadata: [String: String] { ["data": description] }

    private var description: String { "\(rows)x\(columns) \(String(checksum, radix: 16))" }

    /// - Throws: `FathomError.invalid` where a checkpoint was made with other data.
    public func check(_ metadata: [String: String], data: String, checkpoint: String) throws {
        guard let known = metadata["data"] else {
            throw FathomError.invalid("\(checkpoint): not a run's checkpoint: its metadata lack 'data'")
        }
        guard known == description else {
            let before = known.split(separator: " ").first ?? "", now = "\(rows)x\(columns)"
            throw FathomError.invalid(
                "the training rows of \(data) are not those that \(checkpoint) began with"
                    + (before == now ? ": their values have changed" : ": they were \(before), and are \(now)")
                    + "; a run goes on with the same data only")
        }
    }

    /// zlib counts in 32 bits, so the bytes go to it in pieces.
    private static func add<Element>(_ values: [Element], to sum: inout UInt) {
        unsafe values.withUnsafeBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: 1 << 30) {
                let piece = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + 1 << 30, bytes.count)])
                sum = unsafe crc32(sum, piece.bindMemory(to: UInt8.self).baseAddress, UInt32(piece.count))
            }
        }
    }
}
