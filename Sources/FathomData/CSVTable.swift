import Fathom

/// What becomes of a CSV's columns.
enum CSVPurpose {
    /// Every column but the target (nil: the last) is a feature.
    case training(target: String?)
    /// The features that a model knows, found by name, or by position where either side has no names.
    case model(Schema, labels: LabelUse)
}

/// Whether a model's labels are wanted from a file.
public enum LabelUse: Sendable {
    /// For an evaluation: they must be there.
    case required
    /// For predictions: they are not read, and may be absent.
    case ignored
}

/// Reads a CSV: a first line without any number is the header.
/// - Throws: `FathomError.invalid` with file and line, for what is empty, not a number, not finite, ragged, or not UTF-8.
func readCSV(_ bytes: [UInt8], name: String, _ purpose: CSVPurpose) throws(FathomError) -> RawSamples {
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) { throw .invalid("\(name) is UTF-16; save it as UTF-8") }
    // The closure's error type is not inferred through the pointer's scope, so the outcome is carried out as a value.
    let outcome = bytes.withUnsafeBufferPointer { bytes in
        Result<RawSamples, FathomError> { () throws(FathomError) in
            var scanner = CSVScanner(bytes, name: name)
            let layout = try CSVLayout(&scanner, purpose)
            return try layout.readRows(&scanner)
        }
    }
    return try outcome.get()
}

/// A CSV's columns and what each is for.
private struct CSVLayout {
    enum Role { case feature(Int), target, ignored }

    var header: [String]?
    var roles: [Role] = []
    var features: Int { roles.count { if case .feature = $0 { true } else { false } } }
    var target: Int?
    var notes: [String] = []

    /// Reads the header where there is one, and leaves the scanner at the first row.
    init(_ scanner: inout CSVScanner, _ purpose: CSVPurpose) throws(FathomError) {
        let (name, bytes) = (scanner.name, scanner.bytes)
        guard !scanner.isAtEnd else { throw .invalid("\(name) is empty") }
        var first = scanner, fields: [CSVField] = [], ended = false
        if first.isAtEmptyLine { throw .invalid("\(name):1 is empty") }
        while !ended {
            let next = try first.nextField()
            fields.append(next.field)
            ended = next.endsRecord
        }
        let isHeader = fields.allSatisfy { if case .notANumber = parseDouble(bytes, from: $0.start, to: $0.end) { true } else { false } }
        if isHeader {
            header = try CSVLayout.names(fields, bytes, name)
            scanner = first
            if scanner.isAtEnd { throw .invalid("\(name) has a header, but no rows") }
        }
        switch purpose {
        case .training(let target): try chooseForTraining(fields.count, target, scanner)
        case .model(let schema, let labels): try chooseForModel(fields.count, schema, labels, scanner)
        }
    }

    /// The header's names; a nameless column is called by its position.
    private static func names(_ fields: [CSVField], _ bytes: UnsafeBufferPointer<UInt8>, _ name: String) throws(FathomError) -> [String] {
        var names: [String] = [], seen: [String: Int] = [:]
        for (column, field) in fields.enumerated() {
            guard let text = String(validating: field.text(in: bytes), as: UTF8.self) else {
                throw .invalid("\(name):\(field.line): the name of column \(column + 1) is not UTF-8; save the file as UTF-8")
            }
            names.append(text.isEmpty ? "column \(column + 1)" : text)
            if let other = seen.updateValue(column, forKey: names[column]) {
                throw .invalid("\(name):\(field.line): columns \(other + 1) and \(column + 1) are both named '\(shortened(text))'")
            }
        }
        return names
    }

    private mutating func chooseForTraining(_ width: Int, _ wanted: String?, _ scanner: CSVScanner) throws(FathomError) {
        let name = scanner.name
        guard width > 1 else { throw .invalid("\(name) has one column; training needs a feature and the target\(separatorHint(scanner))") }
        let target = try wanted.map { (wanted) throws(FathomError) in try index(of: wanted, width, name) } ?? width - 1
        self.target = target
        var next = 0
        for column in 0 ..< width {
            roles.append(column == target ? .target : .feature(next))
            if column != target { next += 1 }
        }
        if header == nil { notes.append("\(name) has no header: its first line has numbers, so its columns are called 1 … \(width)") }
    }

    /// The position of a column by its name, or, without a header, by its number.
    private func index(of wanted: String, _ width: Int, _ name: String) throws(FathomError) -> Int {
        if let header {
            if let index = header.firstIndex(of: wanted) { return index }
            let remedy = Vocabulary(kind: "column", names: header).remedy(for: wanted)
            throw .invalid("\(name) has no column '\(wanted)'; \(remedy.hasPrefix("did") ? remedy : "its columns are \(listed(header))")")
        }
        if let number = Int(wanted), 1 ... width ~= number { return number - 1 }
        throw .invalid("\(name) has no header, so its columns are called 1 … \(width); '\(wanted)' is not one of them")
    }

    private mutating func chooseForModel(_ width: Int, _ schema: Schema, _ labels: LabelUse, _ scanner: CSVScanner) throws(FathomError) {
        let name = scanner.name
        roles = [Role](repeating: .ignored, count: width)
        if let header, let columns = schema.columns {
            for (feature, column) in columns.enumerated() {
                guard let index = header.firstIndex(of: column) else {
                    throw .invalid("\(name) has no column '\(column)', which the model needs")
                }
                roles[index] = .feature(feature)
            }
            target = schema.target.flatMap { header.firstIndex(of: $0) }
            let extra = header.indices.filter { if case .ignored = roles[$0] { $0 != target } else { false } }
            if !extra.isEmpty { notes.append("\(name): columns the model does not know are ignored: \(listed(extra.map { header[$0] }))") }
        } else {
            // By position: with the target's column or without.
            let position = schema.columns == nil ? schema.target.flatMap { Int($0) }.map { $0 - 1 } ?? schema.width : schema.width
            switch width {
            case schema.width: break
            case schema.width + 1 where position <= schema.width: target = position
            default:
                throw .invalid("\(name) has \(width) column\(width == 1 ? "" : "s"); the model needs \(schema.width), "
                    + "or \(schema.width + 1) with the target\(width == 1 ? separatorHint(scanner) : "")")
            }
            for (feature, column) in (0 ..< width).filter({ $0 != target }).enumerated() { roles[column] = .feature(feature) }
            if schema.columns != nil { notes.append("\(name) has no header: its columns are taken in the model's order") }
        }
        if labels == .required {
            guard let target else { throw .invalid("\(name) has no column '\(schema.target ?? "target")', which holds the labels") }
            roles[target] = .target
        } else {
            target = nil
        }
    }

    private func separatorHint(_ scanner: CSVScanner) -> String {
        let line = scanner.bytes.prefix { $0 != 0x0A }
        let separator = line.contains(0x3B) ? "semicolons" : line.contains(0x09) ? "tabs" : nil
        return separator.map { " (fields are separated by commas; this file seems to use \($0))" } ?? ""
    }

    private func columnName(_ column: Int) -> String { header.map { "column '\(shortened($0[column]))'" } ?? "column \(column + 1)" }
}

extension CSVLayout {
    /// The rows, in one pass; label cells are only marked, and read afterwards.
    func readRows(_ scanner: inout CSVScanner) throws(FathomError) -> RawSamples {
        let (bytes, width, features) = (scanner.bytes, roles.count, self.features)
        guard features > 0 else { throw .invalid("\(scanner.name) has no feature column") }
        var values: [Float] = [], labels: [CSVField] = []
        let lines = bytes.reduce(into: 1) { $0 += $1 == 0x0A ? 1 : 0 }
        values.reserveCapacity(min(lines, bytes.count / (2 * width) + 1) * features)
        var row = [Float](repeating: 0, count: features)
        while !scanner.isAtEnd {
            if scanner.isAtEmptyLine && width > 1 { throw .invalid("\(scanner.name):\(scanner.line) is empty") }
            let line = scanner.line
            for column in 0 ..< width {
                let endsRecord: Bool
                switch roles[column] {
                case .feature(let feature):
                    if let next = scanner.nextFloat() {
                        row[feature] = next.value
                        endsRecord = next.endsRecord
                    } else {
                        (row[feature], endsRecord) = try readFeature(&scanner, column)
                    }
                case .target:
                    let next = try scanner.nextField()
                    labels.append(next.field)
                    endsRecord = next.endsRecord
                case .ignored: endsRecord = try scanner.nextField().endsRecord
                }
                if endsRecord != (column == width - 1) { throw try ragged(&scanner, line, column, endsRecord) }
            }
            values.append(contentsOf: row)
        }
        var result = RawSamples(columns: features, features: .floats(values), kind: .table, notes: notes)
        if let header {
            result.names = roles.indices.compactMap { if case .feature = roles[$0] { header[$0] } else { nil } }
        }
        if let target {
            result.target = header?[target] ?? "\(target + 1)"
            result.labels = try readLabels(labels, bytes, scanner.name, target)
        }
        return result
    }

    /// A quoted, padded or wrong feature.
    private func readFeature(_ scanner: inout CSVScanner, _ column: Int) throws(FathomError) -> (Float, Bool) {
        let (field, endsRecord) = try scanner.nextField()
        switch parseFloat(scanner.bytes, from: field.start, to: field.end) {
        case .value(let value): return (value, endsRecord)
        case .notFinite: throw notFinite(field, scanner.bytes, scanner.name, column)
        case .notANumber:
            let place = "\(scanner.name):\(field.line): \(columnName(column))"
            if field.start == field.end { throw .invalid("\(place) is empty") }
            throw .invalid("\(place) is '\(field.excerpt(in: scanner.bytes))', not a number; features are numbers")
        }
    }

    private func notFinite(_ field: CSVField, _ bytes: UnsafeBufferPointer<UInt8>, _ name: String, _ column: Int) -> FathomError {
        .invalid("\(name):\(field.line): \(columnName(column)) is '\(field.excerpt(in: bytes))', not a finite 32-bit number")
    }

    private func ragged(_ scanner: inout CSVScanner, _ line: Int, _ column: Int, _ ended: Bool) throws(FathomError) -> FathomError {
        var (fields, ended) = (column + 1, ended)
        while !ended {
            ended = try scanner.nextField().endsRecord
            fields += 1
        }
        return .invalid("\(scanner.name):\(line) has \(fields) field\(fields == 1 ? "" : "s"), but the first line has \(roles.count)")
    }

    /// All numbers, or else all text.
    private func readLabels(
        _ fields: [CSVField], _ bytes: UnsafeBufferPointer<UInt8>, _ name: String, _ column: Int
    ) throws(FathomError) -> Labels {
        var numbers: [Double] = []
        numbers.reserveCapacity(fields.count)
        var text: Int?
        for (row, field) in fields.enumerated() {
            if field.start == field.end { throw .invalid("\(name):\(field.line): \(columnName(column)), the target, is empty") }
            switch parseDouble(bytes, from: field.start, to: field.end) {
            case .value(let value) where Float(value).isFinite: numbers.append(value)
            case .value, .notFinite: throw notFinite(field, bytes, name, column)
            case .notANumber: text = text ?? row
            }
        }
        let lines = fields.map(\.line)
        let place = { (row: Int) in "\(name):\(lines[row])" }
        guard let text else { return Labels(values: .numbers(numbers, width: 1), name: columnName(column), place: place) }
        if text == 0, header == nil, fields.count > 1, numbers.count == fields.count - 1 {
            throw .invalid("\(name):1: \(columnName(column)) is '\(fields[0].excerpt(in: bytes))', and a number in every other row; "
                + "a header is a first line without any number")
        }
        var texts: [String] = []
        texts.reserveCapacity(fields.count)
        for field in fields {
            guard let label = String(validating: field.text(in: bytes), as: UTF8.self) else {
                throw .invalid("\(name):\(field.line): \(columnName(column)) is not UTF-8; save the file as UTF-8")
            }
            texts.append(label)
        }
        return Labels(values: .text(texts), name: columnName(column), place: place)
    }
}
