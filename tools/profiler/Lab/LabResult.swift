import Fathom
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
        let reference: Reference?
        let standardError: Double?

        init(_ quantity: String, _ x: [JSON.Member], _ measured: Double, _ reference: Reference? = nil, standardError: Double? = nil) {
            (self.x, self.quantity, self.measured, self.reference, self.standardError) = (x, quantity, measured, reference, standardError)
        }

        init(_ quantity: String, _ x: KeyValuePairs<String, JSON>, _ measured: Double, _ reference: Reference? = nil, standardError: Double? = nil) {
            self.init(quantity, x.map { .init($0.key, $0.value) }, measured, reference, standardError: standardError)
        }
    }

    struct Listing {
        let title: String
        let header: [String], rows: [[String]]
        /// Columns of words, on the left; the others are figures.
        var words = 0

        var right: Set<Int> { Set(words..<header.count) }
    }

    /// The setting, in a sentence without its end.
    let setting: String
    var rows: [Row] = []
    var tables: [Listing] = []
    var charts: [Chart] = []
    var maps: [HeatMap] = []
    /// What came out, a sentence each without its end.
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
        let tables = tables.map { "\n" + paragraph($0.title) + Table(header: $0.header, rows: $0.rows, right: $0.right).text(width: width) }
        let figures = charts.map { "\n" + $0.text(width: width, unicode: unicode) } + maps.map { "\n" + $0.text(width: width, unicode: unicode) }
        return head + tables.joined() + figures.joined() + "\n" + findings.map { paragraph("found: \($0)") }.joined()
    }

    /// - Parameter command: that made it.
    func page(_ experiment: LabExperiment, command: String) -> Page {
        var page = Page("The lab: \(experiment.name)", setting + ".")
        page.verdict(experiment.sees.capitalizedSentence)
        page.list(findings.map(\.capitalizedSentence))
        for map in maps { page.figure(map) }
        for chart in charts { page.figure(chart) }
        for table in tables {
            page.heading(table.title)
            page.table(table.header, table.rows, right: table.right)
        }
        let threads = Fathom.Kernels.threadsAvailable
        page.facts([
            ("command", command), ("fathom", fathomVersion), ("machine", "\(Fathom.Kernels.instructionSet), \(threads == 1 ? "1 thread" : "\(threads) threads")"),
        ])
        return page
    }
}

extension String {
    /// "a sentence" as "A sentence."
    fileprivate var capitalizedSentence: String { prefix(1).uppercased() + dropFirst() + "." }
}

/// At most so many of them, evenly spaced, the first and the last among them.
func spread<T>(_ values: [T], most: Int) -> [T] {
    guard values.count > most, most > 1 else { return values }
    return (0..<most).map { values[$0 * (values.count - 1) / (most - 1)] }
}

/// Four significant digits, "–" of what is not finite.
func figure(_ value: Double, digits: Int = 4) -> String { value.isFinite ? String(format: "%.\(digits)g", value) : "–" }
/// "+0.0123 ± 0.0004", "–" of what is no number.
func figure(_ value: Double, _ standardError: Double) -> String {
    value.isNaN ? "–" : standardError.isFinite ? String(format: "%+.4f ± %.1g", value, standardError) : String(format: "%+.4f", value)
}
