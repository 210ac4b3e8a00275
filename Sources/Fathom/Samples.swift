/// Rows of features with their targets, row-major. Bytes stay bytes: 60,000 images of 28×28 take 47 MB, not 188.
public struct Samples: Sendable, Equatable {
    public enum Features: Sendable, Equatable {
        case bytes([UInt8])
        case floats([Float])

        public var count: Int {
            switch self {
            case .bytes(let values): values.count
            case .floats(let values): values.count
            }
        }
    }

    public enum Targets: Sendable, Equatable {
        case none
        /// One class number a row, from 0.
        case classes([Int32])
        /// One class number for each of a row's time steps, from 0: [count × steps].
        case stepClasses([Int32], steps: Int)
        /// `width` numbers a row.
        case values([Float], width: Int)
    }

    /// Features a row.
    public let columns: Int
    /// [count × columns]
    public let features: Features
    public let targets: Targets

    public var count: Int { features.count / columns }

    /// - Throws: `FathomError.invalid` where the numbers of features and targets do not fit each other, or a class is negative.
    public init(columns: Int, features: Features, targets: Targets) throws(FathomError) {
        guard columns > 0 else { throw .invalid("samples need at least one feature a row") }
        guard features.count.isMultiple(of: columns) else {
            throw .invalid("\(features.count) features are not whole rows of \(columns)")
        }
        let rows = features.count / columns
        switch targets {
        case .none: break
        case .classes(let classes):
            guard classes.count == rows else { throw .invalid("there are \(rows) rows, but \(classes.count) classes") }
            if let row = classes.firstIndex(where: { $0 < 0 }) {
                throw .invalid("the class of row \(row + 1) is \(classes[row]); classes count from 0")
            }
        case .stepClasses(let classes, let steps):
            guard steps > 0 else { throw .invalid("targets need at least one step a row") }
            let (expected, overflow) = rows.multipliedReportingOverflow(by: steps)
            guard !overflow, classes.count == expected else {
                throw .invalid("there are \(rows) rows, but \(classes.count) classes for \(steps) steps a row")
            }
            if let place = classes.firstIndex(where: { $0 < 0 }) {
                throw .invalid("the class of row \(place / steps + 1) at step \(place % steps + 1) is \(classes[place]); classes count from 0")
            }
        case .values(let values, let width):
            guard width > 0 else { throw .invalid("targets need at least one value a row") }
            let (expected, overflow) = rows.multipliedReportingOverflow(by: width)
            guard !overflow, values.count == expected else {
                throw .invalid("there are \(rows) rows, but \(values.count) target values for \(width) a row")
            }
        }
        self.init(unchecked: columns, features, targets)
    }

    private init(unchecked columns: Int, _ features: Features, _ targets: Targets) {
        self.columns = columns
        self.features = features
        self.targets = targets
    }

    /// A copy of these rows, in this order; a row may come more than once. O(rows · columns).
    /// - Precondition: every row is in `0 ..< count`.
    public func selecting(_ rows: some Collection<Int>) -> Samples {
        let features: Features = switch self.features {
        case .bytes(let values): .bytes(values.selecting(rows, width: columns))
        case .floats(let values): .floats(values.selecting(rows, width: columns))
        }
        let targets: Targets = switch self.targets {
        case .none: .none
        case .classes(let classes): .classes(classes.selecting(rows, width: 1))
        case .stepClasses(let classes, let steps): .stepClasses(classes.selecting(rows, width: steps), steps: steps)
        case .values(let values, let width): .values(values.selecting(rows, width: width), width: width)
        }
        return Samples(unchecked: columns, features, targets)
    }
}

extension Array {
    /// Rows of `width` elements, gathered.
    fileprivate func selecting(_ rows: some Collection<Int>, width: Int) -> [Element] {
        var result: [Element] = []
        result.reserveCapacity(rows.count * width)
        for row in rows { result.append(contentsOf: self[row * width ..< (row + 1) * width]) }
        return result
    }
}
