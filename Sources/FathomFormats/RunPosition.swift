import CZlib
import Fathom

/// Where a training stands between two steps, beside what the trainer knows: with its checkpoint, everything needed to go on bit for bit.
public struct RunPosition: Sendable, Equatable {
    /// Steps taken.
    public var step: Int
    /// Σ loss·rows over the current epoch's steps so far.
    public var epochLoss: Double
    /// The step at which a resumed run was given a new schedule; its recipe alone then does not repeat it.
    public var rescheduledAt: Int?

    public init(step: Int = 0, epochLoss: Double = 0, rescheduledAt: Int? = nil) {
        self.step = step
        self.epochLoss = epochLoss
        self.rescheduledAt = rescheduledAt
    }

    /// The sum as its bits, so that it comes back exactly.
    public var metadata: [String: String] {
        var metadata = ["step": "\(step)", "epoch_loss": String(epochLoss.bitPattern, radix: 16)]
        metadata["rescheduled_at"] = rescheduledAt.map(String.init)
        return metadata
    }

    /// - Throws: `FathomError.invalid` where a checkpoint's metadata lack it.
    public init(_ metadata: [String: String], name: String) throws {
        guard let step = metadata["step"].flatMap({ Int($0) }), step >= 0, let bits = metadata["epoch_loss"].flatMap({ UInt64($0, radix: 16) }) else {
            throw FathomError.invalid("\(name): not the checkpoint of a run: its metadata lack 'step' or 'epoch_loss'")
        }
        self.init(step: step, epochLoss: Double(bitPattern: bits), rescheduledAt: metadata["rescheduled_at"].flatMap { Int($0) })
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
        case .classes(let classes): Self.add(classes, to: &sum)
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
