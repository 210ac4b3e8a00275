import Fathom
import Testing

@Suite("Networks")
struct NetworkTests {
    private func message(_ body: () throws -> Void) -> String? {
        do { try body() } catch { return "\(error)" }
        return nil
    }

    @Test("Repeats are expanded and groups flattened, as in nn.Sequential") func layers() throws {
        let network = try Network("[linear(4) [relu tanh] * 2] * 2 linear(outputs)")
        #expect(network.layers.map(\.description) == [
            "linear(4)", "relu", "tanh", "relu", "tanh", "linear(4)", "relu", "tanh", "relu", "tanh", "linear(outputs)",
        ])
        #expect(network.elements.count == 2)
    }

    @Test("A group that is not repeated is the layers in it") func plainGroups() throws {
        #expect(try Network("[linear(4) [relu]] * 1 [[[tanh]]]") == Network("linear(4) relu tanh"))
        #expect(try Network("[relu] * 3").description == "relu * 3")
        #expect(try Network("relu * 3") == Network("[relu]*3"))
        #expect(try Network("[[relu] * 2] * 3").description == "[relu * 2] * 3")
    }

    @Test("Networks differ where anything that they mean differs") func equality() throws {
        let distinct = [
            "linear(4)", "linear(5)", "linear(outputs)", "linear(4, bias: false)", "linear(4, init: he)", "linear(4, init: he(uniform))",
            "linear(4) * 2", "leakyrelu(0.1)", "leakyrelu(0.2)", "gelu", "gelu(tanh)",
        ]
        #expect(try Set(distinct.map { try Network($0) }).count == distinct.count)
    }

    @Test("Resolving puts the data's width in place of outputs and keeps the groups") func resolved() throws {
        let network = try Network("[linear(8) relu] * 2 [linear(outputs, bias: false, init: he) tanh] * 2").resolved(inputs: 3, outputs: 5)
        #expect(network.description == "[linear(8) relu] * 2 [linear(5, bias: false, init: he) tanh] * 2")
        #expect(try network.widths(inputs: 3) == [8, 8, 8, 8, 5, 5, 5, 5])
        #expect(try Network("linear(7) relu").resolved(inputs: 3, outputs: nil).widths(inputs: 3) == [7, 7])
        #expect(try Network("relu").resolved(inputs: 3, outputs: 3).widths(inputs: 3) == [3])
    }

    @Test("A width that does not fit names the layer by its position") func misfits() throws {
        let network = try Network("[linear(8) relu] * 2 linear(10) softplus")
        #expect(message { _ = try network.resolved(inputs: 3, outputs: 3) }
            == "layer 4, linear(10), gives 10 columns; the data wants 3: linear(outputs) fits")
        #expect(message { _ = try Network("[linear(8) relu] * 2 linear(outputs)").resolved(inputs: 3, outputs: nil) }
            == "layer 4, linear(outputs), takes its width from the data, which states none; give it a number")
        #expect(message { _ = try Network("relu").resolved(inputs: 3, outputs: 2) }
            == "the network has no layer with weights and gives its 3 inputs; the data wants 2: add linear(outputs)")
        #expect(message { _ = try network.resolved(inputs: 0, outputs: 10) } == "0 inputs; a network takes and gives 1 to 16777216 columns")
        #expect(message { _ = try network.resolved(inputs: 1, outputs: Int.max) }
            == "\(Int.max) outputs; a network takes and gives 1 to 16777216 columns")
        #expect(message { _ = try Network("linear(outputs)").widths(inputs: 1) }
            == "linear(outputs) takes its width from the data; resolve the network first")
    }

    @Test("A layer's initializer is its own, else the network's, else the one that fits the activation that follows") func initializers() throws {
        let network = try Network("linear(8) relu linear(8, init: orthogonal) relu linear(8) tanh linear(8) selu linear(2)")
        #expect((0..<network.layers.count).map { network.initializer(at: $0) } == [.he, nil, .orthogonal, nil, .glorot, nil, .lecun, nil, .glorot])
        #expect(network.initializer(at: 0, default: .zeros) == .zeros)
        #expect(network.initializer(at: 2, default: .zeros) == .orthogonal)
        #expect(network.activation(after: 6) as Activation? == .selu)
        #expect(network.activation(after: 8) == nil && network.activation(after: 0) == .relu)
    }

    @Test("The summary says which layers each initializer draws") func summary() throws {
        let network = try Network("[linear(512) relu] * 2 linear(10)")
        #expect(network.initializationSummary() == "he for 0.linear, 2.linear; glorot for 4.linear")
        #expect(network.initializationSummary(default: .orthogonal) == "orthogonal for 0.linear, 2.linear, 4.linear")
        #expect(try Network("[linear(9) relu] * 64").initializationSummary() == "he for 0.linear, 2.linear, …, 126.linear (64 layers)")
        #expect(try Network("relu").initializationSummary() == "")
        let mixed = try Network("linear(9, init: he) relu linear(9) relu linear(3)")
        #expect(mixed.initializationSummary(default: .he, own: true) == "he for 0.linear")
        #expect(mixed.initializationSummary(own: false) == "he for 2.linear; glorot for 4.linear")
    }
}
