/// Rows of text in aligned columns.
package struct Table {
    let header: [String]
    let rows: [[String]]
    /// Columns that are set to the right, as numbers are.
    let right: Set<Int>

    package init(header: [String], rows: [[String]], right: Set<Int> = []) { (self.header, self.rows, self.right) = (header, rows, right) }

    /// Columns of the terminal that it takes.
    package var width: Int { widths.reduce(0, +) + 2 * (header.count - 1) }

    private var widths: [Int] { header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 } }

    /// - Parameter width: of the terminal. Columns that do not fit go to the rows below: a row then takes a line for each of its cells.
    ///   nil: as wide as it gets.
    package func text(width: Int?) -> String {
        let widths = widths
        guard let width, self.width > width else {
            return ([header] + rows).map { row in
                row.enumerated().map { column, cell in
                    let space = String(repeating: " ", count: widths[column] - cell.count)
                    return right.contains(column) ? space + cell : cell + space
                }.joined(separator: "  ").trimmingEnd() + "\n"
            }.joined()
        }
        return rows.map { row in
            let lines = zip(header, row).dropFirst().map { name, cell in cell.isEmpty ? "" : wrapped("\(name): \(cell)", width: width, indent: "  ") }
            return wrapped(row[0], width: width, indent: "") + lines.joined()
        }.joined()
    }
}

/// Lines of at most `width` columns, broken between words where there is a place.
package func wrapped(_ text: String, width: Int, indent: String) -> String {
    let room = max(4, width - indent.count)
    var lines: [String] = [], line = ""
    for word in text.split(separator: " ") {
        var word = String(word)
        if !line.isEmpty && line.count + 1 + word.count > room {
            lines.append(line)
            line = ""
        }
        while word.count > room {
            lines.append(String(word.prefix(room)))
            word = String(word.dropFirst(room))
        }
        line += line.isEmpty ? word : " " + word
    }
    return (lines + (line.isEmpty ? [] : [line])).map { indent + $0 + "\n" }.joined()
}

extension String {
    fileprivate func trimmingEnd() -> String {
        guard let last = lastIndex(where: { $0 != " " }) else { return "" }
        return String(self[...last])
    }
}
