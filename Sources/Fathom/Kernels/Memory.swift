import Foundation

/// Zeroed memory, 64-byte aligned, freed with its owner. Whoever shares one between tasks no longer writes to it.
final class Memory: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let byteCount: Int
    private let block: UnsafeMutableRawPointer

    init(byteCount: Int) throws {
        // calloc, since the system then gives the pages of a large block when they are first written to, and not before.
        guard byteCount >= 0, byteCount <= Reservation.most, let block = calloc(1, byteCount + Reservation.alignment) else {
            throw FathomError.tooLarge("\(formattedBytes(byteCount)) of memory are not to be had here")
        }
        self.block = block
        base = block.alignedUp(toMultipleOf: Reservation.alignment)
        self.byteCount = byteCount
    }

    deinit { free(block) }

    /// Calls `body` with zeroed scratch memory, which lasts until it returns. (A pointer alone would not keep its memory alive.)
    static func withScratch<Result>(byteCount: Int, _ body: (UnsafeMutableRawPointer) throws -> Result) throws -> Result {
        let memory = try Memory(byteCount: byteCount)
        defer { withExtendedLifetime(memory) {} }
        return try body(memory.base)
    }

    func floats(at offset: Int) -> UnsafeMutablePointer<Float> {
        (base + offset * MemoryLayout<Float>.stride).assumingMemoryBound(to: Float.self)
    }
}

/// Lays buffers out one after another from a base address, each on a cache line of its own.
///
/// The same code first measures and then places: with no base the addresses are of no use, but `byteCount` is what the layout needs.
struct Reservation {
    static let alignment = 64
    /// Where a measured layout stops growing: more than any machine has, and far from overflow.
    static let most = 1 << 60

    private let base: UnsafeMutableRawPointer
    private(set) var byteCount = 0

    init(in memory: Memory? = nil) {
        base = memory?.base ?? UnsafeMutableRawPointer(bitPattern: Reservation.alignment)!
    }

    mutating func reserve<Element>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> {
        let address = (base + byteCount).assumingMemoryBound(to: Element.self)
        let bytes = count * MemoryLayout<Element>.stride
        let padded = (bytes + Reservation.alignment - 1) / Reservation.alignment * Reservation.alignment
        byteCount = min(byteCount + padded, Reservation.most)
        return address
    }

    mutating func panels(rows: Int, columns: Int) -> Panels {
        Panels(data: reserve(Float.self, count: Panels.count(rows: rows, columns: columns)), rows: rows, columns: columns)
    }
}

/// Memory that can still be had: what the system calls available, or what the control group leaves, if less. Bytes.
public func availableMemory() -> Int {
    func firstNumber(_ text: Substring) -> Int? { text.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } }
    var available = Int(clamping: ProcessInfo.processInfo.physicalMemory)
    if let info = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8),
       let line = info.split(separator: "\n").first(where: { $0.hasPrefix("MemAvailable:") }), let kilobytes = firstNumber(line) {
        available = kilobytes * 1024
    }
    if let limit = (try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8)).flatMap({ firstNumber($0[...]) }),
       let used = (try? String(contentsOfFile: "/sys/fs/cgroup/memory.current", encoding: .utf8)).flatMap({ firstNumber($0[...]) }) {
        available = min(available, max(0, limit - used))
    }
    return available
}

/// "1.5 GiB", "640 KiB": three significant digits at most.
public func formattedBytes(_ count: Int) -> String {
    var value = Double(count), unit = 0
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while value >= 1000, unit < units.count - 1 {
        value /= 1024
        unit += 1
    }
    return unit == 0 ? "\(count) bytes" : String(format: value < 10 ? "%.1f %@" : "%.0f %@", value, units[unit])
}
