import Fathom

/// A file's rows before anyone has said which labels are classes.
struct RawSamples {
    var columns: Int
    var features: Samples.Features
    var labels: Labels?
    var kind: Dataset.Kind
    /// Time steps of a row, where that is known.
    var steps: Int? = nil
    /// The features' names, where the file gives them.
    var names: [String]? = nil
    /// The label column's name; its position from 1 in a CSV without a header.
    var target: String? = nil
    var notes: [String] = []

    var count: Int { features.count / columns }
}

/// What a file has in place of targets.
struct Labels {
    enum Values {
        /// Row-major, `width` a row.
        case numbers([Double], width: Int)
        case text([String])
    }
    var values: Values
    /// What holds the labels, for notes: "column 'age'".
    var name: String
    /// Where a row's label stands, for messages: "data.csv:17".
    var place: (Int) -> String
    /// An image set's integers have no other reading than classes.
    var areClasses = false
    /// What the numbers 0, 1, … stand for, where that is known.
    var classNames: [String]? = nil
}

/// What a model knows of its data: what another file must provide to be evaluated or predicted with it.
public struct Schema: Sendable, Hashable {
    /// Features a row.
    public var width: Int
    /// The features' names, in the model's order; nil where they had none.
    public var columns: [String]?
    /// The label column's name; its position from 1 where columns have no names.
    public var target: String?
    /// The classes' names; nil for numbers.
    public var classes: [String]?

    public init(width: Int, columns: [String]? = nil, target: String? = nil, classes: [String]? = nil) {
        self.width = width
        self.columns = columns
        self.target = target
        self.classes = classes
    }
}

extension Labels {
    /// Text labels are classes in sorted order (of their bytes); numbers are numbers, unless classes are asked for (or, undecided, the
    /// set is of images): then integers are classes, in numerical order, named by their decimal form.
    func resolved(classification: Bool?) throws(FathomError) -> (targets: Samples.Targets, classes: [String]?, note: String?) {
        switch values {
        case .text(let texts):
            guard classification != false else {
                let row = texts.firstIndex { Double($0) == nil } ?? 0
                throw .invalid("\(place(row)): \(name) is '\(shortened(texts[row]))', not a number, and this loss needs numbers; "
                    + "--loss cross-entropy makes the labels classes")
            }
            let classes = Set(texts).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            return (.classes(Labels.indices(of: texts, in: classes)), classes,
                    "\(name) is the target: text, so its \(classes.count) labels are the classes, in sorted order")
        case .numbers(let numbers, let width) where classNames != nil && classification != false && numbers.allSatisfy { name(of: $0) != nil }:
            return (Self.classes(numbers.map { Int32($0) }, width), classNames, nil)
        case .numbers(let numbers, let width):
            let odd = numbers.firstIndex { !isClassNumber($0) }, each = width == 1 ? "" : ", one for each step of a sequence"
            if classification ?? (areClasses && width == 1 && odd == nil) {
                if let odd {
                    let what = isBeyondClasses(numbers[odd]) ? beyondClasses : "\(decimal(numbers[odd])), not an integer"
                    throw .invalid("\(place(odd / width)): \(name) is \(what), and this loss makes the labels classes; "
                        + "--loss mse takes them as numbers")
                }
                let distinct = Set(numbers).sorted()
                return (Self.classes(Labels.indices(of: numbers, in: distinct), width), distinct.map(decimal), areClasses && width == 1
                        ? nil : "\(name) is the target: its \(distinct.count) integers are the classes\(each); --loss mse takes them as numbers")
            }
            let note = odd == nil ? "; --loss cross-entropy makes its integers classes\(each)" : ""
            return (.values(numbers.map { Float($0) }, width: width), nil,
                    "\(name) is the target: numbers, so this is a regression\(note)")
        }
    }

    /// Targets for a model whose classes are known (nil: it predicts numbers).
    /// - Throws: `FathomError.invalid` at the first label that is not a class, or not a number.
    func resolved(like classes: [String]?) throws(FathomError) -> Samples.Targets {
        guard let classes else {
            switch values {
            case .numbers(let numbers, let width): return .values(numbers.map { Float($0) }, width: width)
            case .text(let texts):
                let row = texts.firstIndex { Double($0) == nil } ?? 0
                throw .invalid("\(place(row)): \(name) is '\(shortened(texts[row]))', not a number")
            }
        }
        let (texts, width) = switch values {
        case .text(let labels): (labels, 1)
        case .numbers(let numbers, let width): (numbers.map { name(of: $0) ?? decimal($0) }, width)
        }
        let known = Dictionary(classes.enumerated().map { ($1, Int32($0)) }, uniquingKeysWith: { first, _ in first })
        var result: [Int32] = []
        result.reserveCapacity(texts.count)
        for (row, text) in texts.enumerated() {
            guard let index = known[text] ?? Double(text).flatMap({ known[decimal($0)] }) else {
                let label = if case .numbers(let numbers, _) = values, isBeyondClasses(numbers[row]) { "a label \(beyondClasses)," } else { "label '\(shortened(text))'" }
                throw .invalid("\(place(row / width)): \(label) is not a class of the model; its classes are \(listed(classes))")
            }
            result.append(index)
        }
        return Self.classes(result, width)
    }

    /// One class a row, or one for each of a row's steps.
    private static func classes(_ classes: [Int32], _ width: Int) -> Samples.Targets {
        width == 1 ? .classes(classes) : .stepClasses(classes, steps: width)
    }

    private func name(of number: Double) -> String? {
        guard let classNames, let index = Int(exactly: number), classNames.indices.contains(index) else { return nil }
        return classNames[index]
    }

    /// These labels, then the other's; nil where they differ in kind or width.
    func joined(with other: Labels) -> Labels? {
        var result = self
        let count: Int
        switch (values, other.values) {
        case (.numbers(let numbers, let width), .numbers(let more, let otherWidth)) where width == otherWidth:
            count = numbers.count / width
            result.values = .numbers(numbers + more, width: width)
        case (.text(let texts), .text(let more)):
            count = texts.count
            result.values = .text(texts + more)
        default: return nil
        }
        result.place = { [place] in $0 < count ? place($0) : other.place($0 - count) }
        return result
    }

    private static func indices<Label: Hashable>(of labels: [Label], in classes: [Label]) -> [Int32] {
        let index = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, Int32($0)) })
        return labels.map { index[$0]! }
    }
}

extension Samples.Targets {
    /// Those of the first `count` rows, and the rest.
    func divided(after count: Int) -> (Samples.Targets, Samples.Targets) {
        switch self {
        case .none: (.none, .none)
        case .classes(let classes): (.classes(Array(classes[..<count])), .classes(Array(classes[count...])))
        case .stepClasses(let classes, let steps):
            (.stepClasses(Array(classes[..<(count * steps)]), steps: steps), .stepClasses(Array(classes[(count * steps)...]), steps: steps))
        case .values(let values, let width):
            (.values(Array(values[..<(count * width)]), width: width), .values(Array(values[(count * width)...]), width: width))
        }
    }
}

/// An integer that float64 tells from its neighbours.
private func isClassNumber(_ x: Double) -> Bool { x.rounded() == x && !isBeyondClasses(x) }

/// Where float64 has not every integer, and a number may have been written as another.
private func isBeyondClasses(_ x: Double) -> Bool { x.magnitude >= 0x1p53 }
private let beyondClasses = "beyond ±9007199254740991, the largest integers that can be classes"

/// 3 for 3.0; otherwise the shortest form that reads back.
func decimal(_ x: Double) -> String { isClassNumber(x) ? String(Int64(x)) : String(describing: x) }

func shortened(_ text: String) -> String { text.count <= 40 ? text : text.prefix(40) + "…" }

/// "a, b, c", at most ten of them.
func listed(_ names: [String]) -> String {
    let shown = names.prefix(10).map(shortened).joined(separator: ", ")
    return names.count <= 10 ? shown : "\(shown), … (\(names.count) in all)"
}
