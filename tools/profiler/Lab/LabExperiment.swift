import Fathom
import FathomCommandLine
import Foundation

/// What an experiment may be told.
enum LabOption: String, CaseIterable, Sendable {
    case activation, depth, width, weight, input, gain, steps, averages, seed, data, train

    var flag: String { "--\(rawValue)" }
}

/// Options as they were given: nil where they were not.
struct LabParameters {
    var activation: Activation?
    var depth: Int?, width: Int?, steps: Int?, averages: Int?
    var weight: Double?, input: Double?
    var gains: [Double] = []
    var seed: UInt64 = 0
    var data: String?
    var trains = false

    /// Of an experiment that takes one.
    func gain() throws -> Double? {
        guard gains.count < 2 else { throw UsageError("--gain takes one number here, not \(gains.count)") }
        return gains.first
    }

    /// Where more would not end in reasonable time, or less makes no sense.
    func checked(_ value: Int?, _ option: LabOption, _ range: ClosedRange<Int>, default number: Int) throws -> Int {
        guard let value else { return number }
        guard range.contains(value) else { throw UsageError("\(option.flag) takes a whole number from \(range.lowerBound) to \(range.upperBound) here, not \(value)") }
        return value
    }

    func depth(_ range: ClosedRange<Int>, default number: Int) throws -> Int { try checked(depth, .depth, range, default: number) }
    func width(_ range: ClosedRange<Int>, default number: Int) throws -> Int { try checked(width, .width, range, default: number) }
    func steps(_ range: ClosedRange<Int>, default number: Int) throws -> Int { try checked(steps, .steps, range, default: number) }
    func averages(_ range: ClosedRange<Int>, default number: Int) throws -> Int { try checked(averages, .averages, range, default: number) }
}

/// An experiment of the lab: what it is called, what it shows, what it takes, and what it does.
struct LabExperiment: Sendable {
    let name: String
    /// What the reader should see, in a sentence without its end.
    let sees: String
    /// Options that apply, each with what is taken without it.
    let options: [(option: LabOption, standard: String)]
    let run: @Sendable (LabParameters) throws -> LabResult

    static let all: [LabExperiment] = [.tower, .linear, .saturation, .conditioning, .isometry, .recurrent, .lyapunov, .depth]

    static func named(_ name: String) throws -> LabExperiment {
        if let experiment = all.first(where: { $0.name == name }) { return experiment }
        throw UsageError("unknown experiment '\(name)'; \(Vocabulary(kind: "experiment", names: all.map(\.name)).remedy(for: name))")
    }

    /// - Throws: `UsageError` where an option is given that does not apply.
    func check(given: [LabOption]) throws {
        for option in given where !options.contains(where: { $0.option == option }) {
            throw UsageError("\(option.flag) means nothing to the experiment '\(name)'; it takes \(options.map(\.option.flag).joined(separator: ", "))")
        }
    }
}

/// Standard normal numbers of a seed.
func normals(_ count: Int, seed: UInt64, stream: UInt64 = 0x4C4142) -> [Float] {
    var random = CounterRandom(seed: seed, stream: stream)
    return (0..<count).map { _ in Float(random.normal()) }
}

extension Samples {
    /// Rows of features without targets.
    init(rows features: [Float], columns: Int) throws { try self.init(columns: columns, features: .floats(features), targets: .none) }
}

extension Model {
    /// The model with some tensors replaced, row-major [outputs, inputs] as in its file.
    func replacing(_ tensors: [String: [Float]]) throws -> Model {
        var file = try safeTensors()
        for (name, values) in tensors {
            guard let place = file.tensors.firstIndex(where: { $0.name == name }), file.tensors[place].values.count == values.count else {
                throw FathomError.invalid("there is no tensor \(name) of \(values.count) numbers in \(network)")
            }
            file.tensors[place].values = values
        }
        return try Model(file, name: "lab")
    }
}
