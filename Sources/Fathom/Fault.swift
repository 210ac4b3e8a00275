/// Where the first value of a step was made that is not finite.
public struct Fault: Sendable, Hashable {
    public enum Pass: String, Sendable {
        /// A parameter was not finite before the step: the update of an earlier one, or what was loaded.
        case parameters
        case input, forward, loss, backward
        /// The norm of a gradient whose entries are finite, or what clipping makes of them; or what an update has made of parameters, of the optimizer's
        /// state or of averages.
        case update
    }

    /// Numbers that a value was made from.
    public struct Input: Sendable, Hashable {
        public let name: String
        public let values: [Float]
    }

    /// From 1.
    public let step: Int
    public let pass: Pass
    /// "3.linear"; nil of the input and the loss.
    public let layer: String?
    /// What it is of: "output", "gradient", "weights' gradient", "2.weight", "optimizer.second.2.weight".
    public internal(set) var quantity: String
    /// From 0; nil outside of sequences.
    public let timeStep: Int?
    /// Within the batch, and of the data, from 0; nil where the value is not one sample's.
    public let sample: Int?
    public let row: Int?
    /// From 0. Of weights [outputs, inputs]: the output.
    public let column: Int?
    /// Of weights: the input.
    public let input: Int?
    public let value: Float
    public let inputs: [Input]
}

extension Fault: CustomStringConvertible {
    /// One sentence without its full stop: "forward pass, 3.linear, time step 7, sample 17 of the batch (row 4711 of the data): output[5] is inf, from inputs
    /// -3.1e+38 to 2.9e+38, weights -0.4 to 12.0".
    public var description: String {
        let places: [String] = [
            pass == .parameters ? "before the step" : pass == .input ? "the data" : pass == .loss ? "the loss" : "\(pass) pass", layer,
            timeStep.map { "time step \($0)" }, sample.map { sample in "sample \(sample) of the batch" + (row.map { " (row \($0) of the data)" } ?? "") },
        ].compactMap { $0 }
        let which = [column.map { "\($0)" }, input.map { "\($0)" }].compactMap { $0 }.joined(separator: ", ")
        let from = inputs.map(\.description).joined(separator: ", ")
        return "\(places.joined(separator: ", ")): \(quantity)\(which.isEmpty ? "" : "[\(which)]") is \(value.text)" + (from.isEmpty ? "" : ", from \(from)")
    }
}

extension Fault.Input: CustomStringConvertible {
    /// "weights −0.4 to 12", "bias inf": the range of the finite ones, and how many are not.
    public var description: String {
        if values.count == 1 { return "\(name) \(values[0].text)" }
        let finite = values.filter(\.isFinite), others = values.count - finite.count
        guard let least = finite.min(), let most = finite.max() else { return "\(name) none of them finite" }
        return "\(name) \(least) to \(most)" + (others > 0 ? " and \(others) not finite" : "")
    }
}

extension Float {
    /// In digits; of a NaN without its sign, which is no part of the numerical contract.
    package var text: String { isNaN ? "nan" : description }
}
