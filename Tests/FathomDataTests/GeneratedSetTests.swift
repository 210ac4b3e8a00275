import Fathom
import Foundation
import Testing
@testable import FathomData

@Suite("Generated sets") struct GeneratedSetTests {
    @Test("The same notation gives the same bits, another seed others, more rows the same beginning", arguments: ["spirals", "teacher", "parity"])
    func determined(name: String) throws {
        let set = try Dataset("\(name)(200, seed: 3)").training
        #expect(try Dataset(" \(name) ( 200,seed:3 )").training == set)
        #expect(try Dataset("\(name)(200, seed: 4)").training != set)
        #expect(try Dataset("\(name)(300, seed: 3)").training.selecting(0 ..< 200) == set)
        #expect(try Dataset(name).training.count == 1000 && Dataset(name).name == name)
    }

    @Test("Spirals lie on their arms")
    func spirals() throws {
        let set = try Dataset("spirals(3000, classes: 5, noise: 0)")
        #expect(set.classes == ["0", "1", "2", "3", "4"] && set.columns == ["x", "y"] && set.kind == .table && set.notes.isEmpty)
        let points = set.training.floats, classes = try #require(set.training.classes)
        for row in 0 ..< 3000 {
            let (x, y) = (Double(points[2 * row]), Double(points[2 * row + 1]))
            let radius = (x * x + y * y).squareRoot(), angle = 2 * Double.pi * (Double(classes[row]) / 5 + radius)
            // float32 coordinates of at most 1: 6e-8 each, and the radius turns them by 2π.
            #expect(abs(x - radius * cos(angle)) < 1e-6 && abs(y - radius * sin(angle)) < 1e-6)
        }
        #expect((0 ..< 5).allSatisfy { label in classes.count { $0 == label } == 600 })
    }

    @Test("Parity is the number of set bits modulo 2, on balanced bits")
    func parity() throws {
        let set = try Dataset("parity(4000, bits: 40, seed: 9)")
        #expect(set.classes == ["even", "odd"] && set.training.columns == 40)
        guard case .bytes(let bits) = set.training.features, let classes = set.training.classes else { Issue.record("not bytes"); return }
        for row in 0 ..< 4000 { #expect(Int(classes[row]) == bits[row * 40 ..< row * 40 + 40].count { $0 == 1 } % 2) }
        // 160,000 fair bits: deviation 200.
        #expect(bits.allSatisfy { $0 < 2 } && abs(bits.count { $0 == 1 } - 80_000) < 1000)
        #expect(try Dataset("parity(10)", classification: false).training.values?.allSatisfy { $0 == 0 || $0 == 1 } == true)
    }

    @Test("The teacher's inputs are standard normal, its answers of order 1, its noise as asked")
    func teacher() throws {
        let exact = try Dataset("teacher(5000, inputs: 6, outputs: 3)"), noisy = try Dataset("teacher(5000, inputs: 6, outputs: 3, noise: 0.5)")
        #expect(exact.training.columns == 6 && exact.classes == nil && exact.columns == (1 ... 6).map { "x\($0)" })
        let x = exact.training.floats.map(Double.init)
        // 30,000 normals: the mean's deviation is 0.0058, the variance's 0.0082.
        #expect(abs(x.reduce(0, +)) / 30_000 < 0.03 && abs(x.reduce(0) { $0 + $1 * $1 } / 30_000 - 1) < 0.04)
        let y = try #require(exact.training.values).map(Double.init)
        #expect(y.count == 15_000)
        let mean = y.reduce(0, +) / 15_000, deviation = (y.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 15_000).squareRoot()
        #expect(0.2 ... 5 ~= deviation)
        // The first row is drawn before any noise differs: its answers differ by the noise alone.
        let noise = zip(y, try #require(noisy.training.values)).prefix(3).map { abs($0 - Double($1)) }
        #expect(noise.allSatisfy { 0 < $0 && $0 < 3 })
    }

    @Test("Mistakes in the notation are shown with a caret, and what does not fit is refused", arguments: [
        ("spirals(2000, sed: 1)", "unknown argument 'sed' of spirals at column 15; did you mean 'seed'?\n  spirals(2000, sed: 1)\n                ^"),
        ("spiral(2000)", "unknown data set 'spiral' at column 1; did you mean 'spirals'?\n  spiral(2000)\n  ^"),
        ("spirals(0)", "rows '0' of spirals at column 9; it must be a whole number from 1 to 1000000000\n  spirals(0)\n          ^"),
        ("spirals(10, classes: 1)", "classes '1' of spirals at column 22; it must be a whole number from 2 to 1000\n  spirals(10, classes: 1)\n                       ^"),
        ("spirals(10, noise: -1)", "noise '-1' of spirals at column 20; it must be 0 or above\n  spirals(10, noise: -1)\n                     ^"),
        ("parity(1000000000, bits: 1000000)", "1000000000 rows of parity take 931330.0 GiB, more than fits here"),
        ("teacher(1, inputs: 1000000, outputs: 0)", "outputs '0' of teacher at column 38; it must be a whole number from 1 to 1000000\n  teacher(1, inputs: 1000000, outputs: 0)\n                                       ^"),
    ])
    func refused(notation: String, message: String) throws {
        #expect(try Scratch().message { try Dataset(notation) } == message)
    }
}
