import Fathom
import Foundation
import Testing
@testable import FathomData

@Suite("Generated sequences") struct SequenceSetTests {
    @Test("The same notation gives the same bits, another seed others, more rows the same beginning", arguments: ["adding(50", "copy(7"])
    func determined(name: String) throws {
        let set = try Dataset("\(name), rows: 200, seed: 3)").training
        #expect(try Dataset(" \(name) ,seed:3 ,rows: 200)").training == set && set.count == 200)
        #expect(try Dataset("\(name), rows: 200, seed: 4)").training != set)
        #expect(try Dataset("\(name), rows: 300, seed: 3)").training.selecting(0 ..< 200) == set)
    }

    @Test("Left out, arguments are the defaults that the list shows")
    func defaults() throws {
        for name in ["adding", "copy"] {
            let listed = try #require(Dataset.named.first { $0.name.hasPrefix(name) }).name
            let set = try Dataset(name)
            #expect(try set.name == name && set.training.count == 10_000 && set.training == Dataset(listed).training)
            #expect(set.kind == .sequences && set.kind.standardization == .none && set.columns == nil && set.test == nil)
        }
    }

    @Test("adding: two markers, one in each half; the target is the sum of the numbers they mark", arguments: [2, 3, 50, 101])
    func adding(steps: Int) throws {
        let rows = 2000, set = try Dataset("adding(\(steps), rows: \(rows), seed: 5)")
        #expect(set.training.columns == 2 * steps && set.classes == nil && set.target == "sum")
        #expect(set.steps == steps && set.notes.count == 1)
        let x = set.training.floats, y = try #require(set.training.values)
        var sum = 0.0, marks = [Int](repeating: 0, count: steps)
        for row in 0 ..< rows {
            let places = (0 ..< steps).filter { x[2 * (row * steps + $0) + 1] != 0 }
            #expect(places.count == 2 && places[0] < steps / 2 && places[1] >= steps / 2)
            #expect(places.allSatisfy { x[2 * (row * steps + $0) + 1] == 1 })
            #expect(y[row] == Float(places.reduce(0) { $0 + Double(x[2 * (row * steps + $1)]) }))
            for place in places { marks[place] += 1 }
            for step in 0 ..< steps { sum += Double(x[2 * (row * steps + step)]) }
        }
        #expect(x.allSatisfy { $0 >= 0 && $0 <= 1 && $0 * 0x1p24 == ($0 * 0x1p24).rounded() })
        // n uniform numbers: the mean's deviation is √(1/12n). A place of a half of h is marked in rows/h rows: deviation below √(rows/h).
        let n = Double(rows * steps)
        #expect(abs(sum / n - 0.5) < 4.5 * (1 / (12 * n)).squareRoot())
        for (step, count) in marks.enumerated() {
            let expected = Double(rows) / Double(step < steps / 2 ? steps / 2 : steps - steps / 2)
            #expect(abs(Double(count) - expected) <= 4.5 * expected.squareRoot())
        }
    }

    @Test("adding: always predicting the mean, 1, has an error of 1/6")
    func addingBaseline() throws {
        let squares = try #require(Dataset("adding(20, rows: 50000, seed: 1)").training.values).map { (Double($0) - 1) * (Double($0) - 1) }
        let n = Double(squares.count), mean = squares.reduce(0, +) / n
        let error = (squares.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1) / n).squareRoot()
        #expect(abs(mean - 1.0 / 6) < 4.5 * error && error < 1e-3)
    }

    @Test("copy: ten symbols, blanks, the marker, blanks; the target is blank and then the symbols", arguments: [1, 2, 30])
    func copy(lag: Int) throws {
        let rows = 500, steps = lag + 20, set = try Dataset("copy(\(lag), rows: \(rows), seed: 2)")
        #expect(set.training.columns == 10 * steps && set.classes == ["1", "2", "3", "4", "5", "6", "7", "8", "blank"])
        #expect(set.steps == steps && set.notes.count == 0)
        guard case .bytes(let x) = set.training.features, case .stepClasses(let classes, steps) = set.training.targets else {
            Issue.record("not bytes with a class for each step")
            return
        }
        var counts = [Int](repeating: 0, count: 8)
        for row in 0 ..< rows {
            let read = (0 ..< steps).map { step in
                let features = x[(row * steps + step) * 10 ..< (row * steps + step + 1) * 10]
                #expect(features.count { $0 == 1 } == 1 && features.count { $0 == 0 } == 9)
                return features.firstIndex(of: 1)! - features.startIndex
            }
            let symbols = read.prefix(10)
            #expect(symbols.allSatisfy { $0 < 8 })
            #expect(Array(read[10...]) == Array(repeating: 8, count: lag - 1) + [9] + Array(repeating: 8, count: 10))
            #expect(classes[row * steps ..< (row + 1) * steps].map(Int.init) == Array(repeating: 8, count: lag + 10) + symbols)
            for symbol in symbols { counts[symbol] += 1 }
        }
        // 5,000 fair draws of eight: deviation √(5000·7/64) = 23.4.
        #expect(counts.allSatisfy { abs(Double($0) - 625) < 4.5 * 23.4 })
    }

    /// Who remembers nothing knows that the last ten steps hold one of eight symbols, and that the others are blank: 10·ln 8/(lag + 20) on average.
    @Test("copy: the best that can be said without a memory has a cross-entropy of 10·ln 8/(lag + 20)")
    func copyBaseline() throws {
        let set = try Dataset("copy(30, rows: 4000, seed: 3)")
        guard case .stepClasses(let classes, let steps) = set.training.targets else { Issue.record("no step classes"); return }
        // The empirical entropies of the classes at each step, of rows that know only the step.
        var entropy = 0.0
        for step in 0 ..< steps {
            var counts = [Int: Double]()
            for row in 0 ..< 4000 { counts[Int(classes[row * steps + step]), default: 0] += 1 }
            entropy -= counts.values.reduce(0) { $0 + $1 / 4000 * log($1 / 4000) }
        }
        // An entropy from n draws of k classes falls short by about (k − 1)/2n, here 8.8e-4, with a deviation of √((k − 1)/2)/n, 4.7e-4: ten times.
        #expect(abs(entropy - 10 * (log(8) - 7.0 / 8000)) < 4.5 * 4.7e-4 * 10.0.squareRoot())
    }

    @Test("Mistakes in the notation are shown with a caret, and what does not fit is refused", arguments: [
        ("adding(1)", "steps '1' of adding at column 8; it must be a whole number from 2 to 1000000\n  adding(1)\n         ^"),
        ("adding(steps: 100)", "unknown argument 'steps' of adding at column 8; the steps comes without a label: adding(100)\n  adding(steps: 100)\n         ^"),
        ("copy(0)", "lag '0' of copy at column 6; it must be a whole number from 1 to 1000000\n  copy(0)\n       ^"),
        ("copy(5, row: 3)", "unknown argument 'row' of copy at column 9; did you mean 'rows'?\n  copy(5, row: 3)\n          ^"),
        ("copy(1000000, rows: 1000000000)", "1000000000 rows of copy take 16764141.6 GiB, more than fits here"),
    ])
    func refused(notation: String, message: String) throws {
        #expect(try Scratch().message { try Dataset(notation) } == message)
    }

    @Test("The target's own name is not a column to choose, but what a resolved recipe says")
    func ownTarget() throws {
        #expect(try Dataset("adding(4, rows: 2)", target: "sum").training == Dataset("adding(4, rows: 2)").training)
        #expect(try Scratch().message { try Dataset("adding(4, rows: 2)", target: "y") }
            == "--target y chooses a column of a CSV; adding(4, rows: 2) has no columns to choose from")
    }
}

@Suite("A class for each step, from a file") struct StepClassTests {
    private let labels = Labels(values: .numbers([3, 5, 5, 3, 3, 3], width: 3), name: "y", place: { "y[\($0)]" })

    @Test("Rows of integers are classes at each step where the loss asks for classes, else numbers")
    func resolved() throws {
        let (targets, classes, note) = try labels.resolved(classification: true)
        #expect(targets == .stepClasses([0, 1, 1, 0, 0, 0], steps: 3) && classes == ["3", "5"])
        #expect(note == "y is the target: its 2 integers are the classes, one for each step of a sequence; --loss mse takes them as numbers")
        #expect(try labels.resolved(classification: nil).targets == .values([3, 5, 5, 3, 3, 3], width: 3))
        #expect(try labels.resolved(like: ["5", "3"]) == .stepClasses([1, 0, 0, 1, 1, 1], steps: 3))
        #expect(throws: FathomError.invalid("y[0]: label '5' is not a class of the model; its classes are 3")) { try labels.resolved(like: ["3"]) }
        let broken = Labels(values: .numbers([1, 2, 3, 0.5], width: 2), name: "y", place: { "y[\($0)]" })
        #expect(throws: FathomError.invalid("y[1]: y is 0.5, not an integer, and this loss makes the labels classes; --loss mse takes them as numbers")) {
            try broken.resolved(classification: true)
        }
    }

    @Test("Targets are divided between splits by whole rows")
    func divided() {
        let (first, rest) = Samples.Targets.stepClasses([0, 1, 2, 3, 4, 5], steps: 2).divided(after: 1)
        #expect(first == .stepClasses([0, 1], steps: 2) && rest == .stepClasses([2, 3, 4, 5], steps: 2))
    }
}
