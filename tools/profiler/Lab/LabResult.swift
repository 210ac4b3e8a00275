import FathomCommandLine
import FathomFormats
import Foundation

/// What an experiment found: numbers, and how to look at them.
struct LabResult {
    /// A number, with what it should be.
    struct Row {
        enum Reference {
            /// What mathematics says of these very numbers.
            case exact(Double)
            /// What theory says of their kind: wide, many, or in the long run.
            case predicted(Double)
        }

        let x: [JSON.Member]
        let quantity: String
        let measured: Double
        var reference: Reference?
        var standardError: Double?

        init(_ quantity: String, _ x: [JSON.Member], _ measured: Double, _ reference: Reference? = nil, standardError: Double? = nil) {
            (self.x, self.quantity, self.measured, self.reference, self.standardError) = (x, quantity, measured, reference, standardError)
        }

        init(_ quantity: String, _ x: KeyValuePairs<String, JSON>, _ measured: Double, _ reference: Reference? = nil, standardError: Double? = nil) {
            self.init(quantity, x.map { .init($0.key, $0.value) }, measured, reference, standardError: standardError)
        }
    }

    /// The setting, in a sentence.
    let setting: String
    var rows: [Row] = []
    var tables: [(title: String, table: Table)] = []
    var charts: [Chart] = []
    /// What came out, a sentence each.
    var findings: [String] = []

    init(_ setting: String) { self.setting = setting }

    /// JSON Lines.
    func lines(_ experiment: String) -> String {
        rows.map { row in
            var members: [JSON.Member] = [.init("experiment", .string(experiment)), .init("x", .object(row.x)), .init("quantity", .string(row.quantity))]
            members.append(.init("measured", .number(row.measured)))
            switch row.reference {
            case .exact(let value): members.append(.init("exact", .number(value)))
            case .predicted(let value): members.append(.init("predicted", .number(value)))
            case nil: break
            }
            if let error = row.standardError { members.append(.init("standard_error", .number(error))) }
            return JSON.object(members).line + "\n"
        }.joined()
    }

    /// For a terminal of so many columns.
    func text(_ experiment: LabExperiment, width: Int, unicode: Bool) -> String {
        func paragraph(_ text: String) -> String { wrapped(text, width: width, indent: "") }
        let head = paragraph("\(experiment.name): \(setting)") + paragraph("what to see: \(experiment.sees)")
        let tables = tables.map { "\n" + paragraph($0.title) + $0.table.text(width: width) }
        let charts = charts.map { "\n" + $0.text(width: width, unicode: unicode) }
        return head + tables.joined() + charts.joined() + "\n" + findings.map { paragraph("found: \($0)") }.joined()
    }
}

extension Table {
    /// Figures: every column set to the right.
    init(figures header: [String], _ rows: [[String]]) { self.init(header: header, rows: rows, right: Set(header.indices)) }
    /// The first column says what the others are figures of.
    init(named header: [String], _ rows: [[String]]) { self.init(header: header, rows: rows, right: Set(header.indices.dropFirst())) }
}

/// At most so many of them, evenly spaced, the first and the last among them.
func spread<T>(_ values: [T], most: Int) -> [T] {
    guard values.count > most, most > 1 else { return values }
    return (0..<most).map { values[$0 * (values.count - 1) / (most - 1)] }
}

/// Four significant digits, "–" of what is not finite.
func figure(_ value: Double, digits: Int = 4) -> String { value.isFinite ? String(format: "%.\(digits)g", value) : "–" }
/// "+0.0123 ± 0.0004"
func figure(_ value: Double, _ standardError: Double) -> String {
    standardError.isFinite ? String(format: "%+.4f ± %.1g", value, standardError) : String(format: "%+.4f", value)
}
