import Foundation

/// The roofline (Williams, Waterman & Patterson 2009) in characters: GFLOP/s over flops a byte, both logarithmic, under the roofs of the
/// multiply-add peak and of the memory's bandwidth.
struct Roofline {
    struct Mark {
        let name: String
        let flopsPerByte: Double, gflops: Double
    }

    let marks: [Mark]
    /// GFLOP/s and GB/s.
    let peak: Double, bandwidth: Double

    static let narrowest = 40
    private static let height = 16, labels = 8

    /// - Parameter width: of the terminal.
    /// - Returns: nil where the terminal is too narrow, or there is nothing to draw.
    func text(width: Int) -> String? {
        let marks = marks.filter { $0.flopsPerByte > 0 && $0.gflops > 0 }
        guard width >= Self.narrowest, !marks.isEmpty, peak > 0, bandwidth > 0 else { return nil }
        let plot = Plot(marks, peak: peak, bandwidth: bandwidth, columns: min(width, 100) - Self.labels - 1, rows: Self.height)
        return (plot.lines(labels: Self.labels) + plot.legend(width: width)).joined(separator: "\n") + "\n"
    }
}

/// A grid over powers of two.
private struct Plot {
    private var grid: CharacterGrid
    private var names: [(letter: Character, name: String)] = []

    private static let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    private static let several: Character = "*"

    init(_ marks: [Roofline.Mark], peak: Double, bandwidth: Double, columns: Int, rows: Int) {
        let intensities = marks.map { log2($0.flopsPerByte) } + [log2(peak / bandwidth)]
        let x = (intensities.min()! - 0.5).rounded(.down)...(intensities.max()! + 0.5).rounded(.up)
        let lowest = min(marks.map(\.gflops).min()!, bandwidth * exp2(x.lowerBound)), highest = max(marks.map(\.gflops).max()!, peak)
        grid = CharacterGrid(columns: columns, rows: rows, x: x, y: log2(lowest) - 0.3...log2(highest) + 0.5)
        drawRoofs(peak: log2(peak), bandwidth: log2(bandwidth))
        for mark in marks { draw(mark) }
    }

    private mutating func drawRoofs(peak: Double, bandwidth: Double) {
        for c in 0..<grid.columns {
            let log = grid.value(ofColumn: c)
            grid[grid.row(min(peak, bandwidth + log)), c] = bandwidth + log < peak ? "/" : "-"
        }
    }

    private mutating func draw(_ mark: Roofline.Mark) {
        let letter: Character
        if let known = names.first(where: { $0.name == mark.name }) {
            letter = known.letter
        } else {
            letter = Self.letters[names.count % Self.letters.count]
            names.append((letter, mark.name))
        }
        let (r, c) = (grid.row(log2(mark.gflops)), grid.column(log2(mark.flopsPerByte)))
        grid[r, c] = [" ", "/", "-", letter].contains(grid[r, c]) ? letter : Self.several
    }

    func lines(labels: Int) -> [String] {
        let y = grid.y, x = grid.x
        let tens = stride(from: (y.lowerBound / log2(10)).rounded(.up), through: (y.upperBound / log2(10)).rounded(.down), by: 1)
        let twos = (Int(x.lowerBound)...Int(x.upperBound)).map { (Double($0), $0 < 0 ? "1/\(1 << -$0)" : "\(1 << $0)") }
        return grid.lines(labels: labels, title: ("flops a byte", "GFLOP/s"), ticks: (twos, tens.map { ($0 * log2(10), String(format: "%g", pow(10, $0))) }))
    }

    func legend(width: Int) -> [String] {
        let hidden = grid.cells.joined().contains(Self.several) ? ["\(Self.several) several"] : []
        return CharacterGrid.legend(names.map { "\($0.letter) \($0.name)" } + hidden + ["- peak", "/ bandwidth"], width: width)
    }
}
