/// Buffers of a plan that live for a part of its calls: what one no longer needs another takes over.
///
/// Like the reservation beneath it, it first measures and then places: the same takes and releases in the same order give the same addresses.
struct BufferPool {
    private(set) var reservation: Reservation
    private var owners: [UnsafeMutablePointer<Float>: (count: Int, of: Int)] = [:]
    private var free: [(address: UnsafeMutablePointer<Float>, count: Int)] = []
    private var recording: [UnsafeMutablePointer<Float>]?

    init(in memory: Memory?) { reservation = Reservation(in: memory) }

    /// Memory for good.
    mutating func reserve<Element>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> { reservation.reserve(type, count: count) }

    /// A matrix with one owner: the smallest free buffer that holds it, or a new one.
    mutating func take(rows: Int, columns: Int) -> Panels {
        let count = max(1, Panels.count(rows: rows, columns: columns))
        let buffer: (address: UnsafeMutablePointer<Float>, count: Int)
        if let best = free.indices.filter({ free[$0].count >= count }).min(by: { free[$0].count < free[$1].count }) {
            buffer = free.remove(at: best)
        } else {
            buffer = (reservation.reserve(Float.self, count: count), count)
        }
        owners[buffer.address] = (1, buffer.count)
        recording?.append(buffer.address)
        return Panels(data: buffer.address, rows: rows, columns: columns)
    }

    /// One more owner.
    mutating func retain(_ panels: Panels) { owners[panels.storage]?.count += 1 }

    /// One owner less; without any the buffer is free. What was reserved for good stays.
    mutating func release(_ panels: Panels) { release(panels.storage) }

    private mutating func release(_ address: UnsafeMutablePointer<Float>) {
        guard let owned = owners[address] else { return }
        owners[address] = owned.count == 1 ? nil : (owned.count - 1, owned.of)
        if owned.count == 1 { free.append((address, owned.of)) }
    }

    /// Whether nobody else reads the buffer.
    func isOwnedOnce(_ panels: Panels) -> Bool { owners[panels.storage]?.count == 1 }

    /// From here on it is noted what is taken.
    mutating func startRecording() { recording = [] }

    /// What was taken since, but for what is released already and for `kept`.
    mutating func stopRecording(keeping kept: [Panels]) -> [UnsafeMutablePointer<Float>] {
        defer { recording = nil }
        return Array(Set(recording ?? []).filter { address in owners[address] != nil && !kept.contains { $0.storage == address } }).sorted()
    }

    mutating func release(_ addresses: [UnsafeMutablePointer<Float>]) { for address in addresses { release(address) } }
}
