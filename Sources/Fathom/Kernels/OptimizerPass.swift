import CKernels

typealias PassSegment = fathom_segment

/// The order in which an optimizer's pass comes to its tensors, in rows of 16 parameters: those that decay, or the others.
///
/// Threads divide the order. It is not that of the memory but, for each processor, a part of every tensor: the columns that the products which make a gradient and read its weights
/// next give to a thread are then those that the same thread updates, and stay in its core's caches.
struct OptimizerPass {
    /// Rows that are gathered in one block of what instruments tell of changes. Parts begin at its multiples.
    static let blockRows = Int(FATHOM_CHANGE_ROWS)

    let decaying: Bool
    /// The one layer whose tensors it goes through; nil: those of all layers.
    let layer: Int?
    /// Floats from the start of the parameters.
    let range: Range<Int>
    /// Of tensors, by their place in `ParameterLayout.tensors`; `block` is the one that a segment begins in, of those that its tensor has a part in.
    private(set) var segments: [(tensor: Int, block: Int, segment: PassSegment)] = []
    /// Rows of the pass; those between segments count.
    private(set) var count = 0

    init(_ layout: ParameterLayout, decaying: Bool, layer: Int? = nil, parts: Int = Kernels.threadsAvailable) {
        (self.decaying, self.layer) = (decaying, layer)
        range = decaying ? 0..<layout.decayingCount : layout.decayingCount..<layout.count
        let taken = layout.tensors.enumerated().filter { ($1.role == .weight) == decaying && (layer ?? $1.layer) == $1.layer }
        let tensors = taken.map { ($0, Self.rows($1, layout)) }
        let total = max(1, range.count / Panels.width)
        for part in 0..<parts {
            for (tensor, all) in tensors {
                if all.count >= parts * Self.blockRows {
                    append(Self.cut(all, part, of: parts)..<Self.cut(all, part + 1, of: parts), of: tensor, all)
                } else if all.lowerBound * parts / total == part {
                    append(all, of: tensor, all)
                }
            }
        }
    }

    private mutating func append(_ rows: Range<Int>, of tensor: Int, _ all: Range<Int>) {
        guard !rows.isEmpty else { return }
        let block = rows.lowerBound / Self.blockRows - all.lowerBound / Self.blockRows
        let gap = (rows.lowerBound - count) % Self.blockRows, begin = count + (gap < 0 ? gap + Self.blockRows : gap)
        count = begin + rows.count
        segments.append((tensor, block, PassSegment(row_begin: begin, row_end: count, first: rows.lowerBound, changes: nil)))
    }

    /// Where part `part` of a tensor's rows begins.
    private static func cut(_ rows: Range<Int>, _ part: Int, of parts: Int) -> Int {
        if part == parts { return rows.upperBound }
        return max(rows.lowerBound, (rows.lowerBound + rows.count * part / parts) / blockRows * blockRows)
    }

    /// The rows of a tensor, counted from where the pass's parameters begin.
    static func rows(_ tensor: ParameterTensor, _ layout: ParameterLayout) -> Range<Int> {
        let first = (tensor.offset - (tensor.role == .weight ? 0 : layout.decayingCount)) / Panels.width
        return first..<first + tensor.count / Panels.width
    }
}
