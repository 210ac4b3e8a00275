import Foundation

/// What a history says of the layers over its steps, pooled: each column stands for as many consecutive lines that hold layers, one, two, four, …, as
/// it takes to have no more than twice `mostColumns` of them, whatever the length of the run.
struct LayerGrid {
    /// A quantity's mean over the lines of a column, of its logarithm where it spans decades.
    struct Column {
        /// Steps of its first and last line.
        var first: Int, last: Int
        var lines = 1
        /// By layer, then by quantity.
        var sums: [Double]
        var counts: [Int32]
    }

    static let mostColumns = 128

    /// Keys of the numbers; a number goes by its place in the list.
    let keys: [String]
    /// Of which quantities the logarithm is taken.
    let isLogarithmic: [Bool]
    private(set) var names: [String] = []
    private(set) var columns: [Column] = []
    private let keyBytes: [[UInt8]]
    /// A key with all that stands between two values.
    private let members: [[UInt8]]
    private static let nameKey = Array("name".utf8)
    private var nameBytes: [[UInt8]] = []
    private var linesPerColumn = 1

    init(_ quantities: [(key: String, isLogarithmic: Bool)]) {
        keys = quantities.map(\.key)
        isLogarithmic = quantities.map(\.isLogarithmic)
        keyBytes = keys.map { Array($0.utf8) }
        members = keys.map { Array(", \"\($0)\":".utf8) }
    }

    var isEmpty: Bool { columns.isEmpty || names.isEmpty }

    /// The mean of a quantity in each layer and column, layer after layer; log₁₀ where it is logarithmic. NaN where nothing is known, it was never finite,
    /// or always zero where a logarithm was to be taken.
    func values(_ quantity: Int) -> [Double] {
        names.indices.flatMap { layer in columns.map { value(layer, quantity, $0) } }
    }

    func value(_ layer: Int, _ quantity: Int, _ column: Column) -> Double {
        let place = layer * keys.count + quantity
        return place < column.counts.count && column.counts[place] > 0 ? column.sums[place] / Double(column.counts[place]) : .nan
    }

    // MARK: Reading

    /// Begins a line of a history.
    mutating func begin(step: Int) {
        if let last = columns.last, last.lines < linesPerColumn {
            columns[columns.count - 1].last = step
            columns[columns.count - 1].lines += 1
            return
        }
        if columns.count == 2 * Self.mostColumns { joinPairs() }
        let count = names.count * keys.count
        columns.append(Column(first: step, last: step, sums: Array(repeating: 0, count: count), counts: Array(repeating: 0, count: count)))
    }

    private mutating func joinPairs() {
        columns = stride(from: 0, to: columns.count, by: 2).map { index in
            var column = columns[index], other = columns[index + 1]
            for place in other.sums.indices {
                if place == column.sums.count {
                    column.sums.append(0)
                    column.counts.append(0)
                }
                column.sums[place] += other.sums[place]
                column.counts[place] += other.counts[place]
            }
            (column.last, column.lines) = (other.last, column.lines + other.lines)
            other.sums = []
            return column
        }
        linesPerColumn *= 2
    }

    /// Reads an array of layers into the line that was begun.
    /// - Parameter other: reads the value of a key that is none of the quantities.
    mutating func read(
        _ reader: inout JSONReader, _ other: (inout JSONReader, _ key: Range<Int>, _ layer: Int) throws(JSONReader.Damage) -> Void
    ) throws(JSONReader.Damage) {
        try reader.expect(0x5B)
        var isFirst = true, index = 0
        while try reader.nextElement(&isFirst) {
            try reader.expect(0x7B)
            var isFirstMember = true, guess = 0, layer: Int?
            while true {
                // As they are written: in this order, and spaced so.
                if let layer, guess < keys.count, reader.take(members[guess]) {
                    try add(reader.number(), layer, guess)
                    guess += 1
                    continue
                }
                guard let key = try reader.nextKey(&isFirstMember) else { break }
                if layer == nil {
                    guard reader.matches(key, Self.nameKey) else { throw JSONReader.Damage(position: key.lowerBound, problem: "a layer begins with its name") }
                    layer = try place(&reader, near: index)
                } else if let layer, let quantity = quantity(reader, key, &guess) {
                    try add(reader.number(), layer, quantity)
                } else {
                    try other(&reader, key, layer ?? index)
                }
            }
            index += 1
        }
    }

    /// The place of the layer whose name comes next: mostly the one after the last.
    private mutating func place(_ reader: inout JSONReader, near index: Int) throws(JSONReader.Damage) -> Int {
        guard let bytes = try reader.plainString() else { throw JSONReader.Damage(position: reader.position, problem: "a layer's name is missing") }
        if index < names.count, reader.matches(bytes, nameBytes[index]) { return index }
        return place(of: reader.plainText(bytes), near: index)
    }

    /// The same of a name.
    mutating func place(of name: String, near index: Int) -> Int {
        if index < names.count, names[index] == name { return index }
        if let known = names.firstIndex(of: name) { return known }
        names.append(name)
        nameBytes.append(Array(name.utf8))
        let last = columns.count - 1
        columns[last].sums += Array(repeating: 0, count: keys.count)
        columns[last].counts += Array(repeating: 0, count: keys.count)
        return names.count - 1
    }

    /// Keys come in the same order again and again, so the one after the last is tried first.
    private func quantity(_ reader: JSONReader, _ key: Range<Int>, _ guess: inout Int) -> Int? {
        for offset in keys.indices {
            let quantity = (guess + offset) % keys.count
            if reader.matches(key, keyBytes[quantity]) {
                guess = quantity + 1
                return quantity
            }
        }
        return nil
    }

    /// Adds to the line that was begun.
    mutating func add(_ number: Double, _ layer: Int, _ quantity: Int) {
        let number = isLogarithmic[quantity] ? (number > 0 ? log10(number) : .nan) : number
        guard number.isFinite else { return }
        let place = layer * keys.count + quantity, last = columns.count - 1
        columns[last].sums[place] += number
        columns[last].counts[place] += 1
    }
}
