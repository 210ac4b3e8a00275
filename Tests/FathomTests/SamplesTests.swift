import Foundation
import Testing
@testable import Fathom

@Suite("Samples") struct SamplesTests {
    @Test("Numbers of features, targets and classes that do not fit are refused")
    func refused() {
        #expect(throws: FathomError.invalid("samples need at least one feature a row")) { try Samples(columns: 0, features: .bytes([]), targets: .none) }
        #expect(throws: FathomError.invalid("3 features are not whole rows of 2")) { try Samples(columns: 2, features: .bytes([1, 2, 3]), targets: .none) }
        #expect(throws: FathomError.invalid("there are 2 rows, but 1 classes")) { try Samples(columns: 1, features: .bytes([1, 2]), targets: .classes([0])) }
        #expect(throws: FathomError.invalid("the class of row 2 is -1; classes count from 0")) {
            try Samples(columns: 1, features: .bytes([1, 2]), targets: .classes([0, -1]))
        }
        #expect(throws: FathomError.invalid("there are 2 rows, but 3 target values for 2 a row")) {
            try Samples(columns: 1, features: .bytes([1, 2]), targets: .values([1, 2, 3], width: 2))
        }
        #expect(throws: FathomError.invalid("there are 2 rows, but 3 classes for 2 steps a row")) {
            try Samples(columns: 1, features: .bytes([1, 2]), targets: .stepClasses([0, 1, 2], steps: 2))
        }
        #expect(throws: FathomError.invalid("the class of row 2 at step 1 is -3; classes count from 0")) {
            try Samples(columns: 1, features: .bytes([1, 2]), targets: .stepClasses([0, 1, -3, 0], steps: 2))
        }
        #expect(throws: FathomError.invalid("targets need at least one step a row")) {
            try Samples(columns: 1, features: .bytes([]), targets: .stepClasses([], steps: 0))
        }
        #expect(throws: FathomError.invalid("targets need at least one value a row")) { try Samples(columns: 1, features: .bytes([]), targets: .values([], width: 0)) }
    }

    @Test("Rows are selected in the order asked for, more than once too")
    func selecting() throws {
        let samples = try Samples(columns: 2, features: .floats([1, 2, 3, 4, 5, 6]), targets: .values([10, 11, 20, 21, 30, 31], width: 2))
        let chosen = samples.selecting([2, 0, 2])
        #expect(chosen.features == .floats([5, 6, 1, 2, 5, 6]) && chosen.targets == .values([30, 31, 10, 11, 30, 31], width: 2) && chosen.count == 3)
        let stepwise = try Samples(columns: 1, features: .bytes([1, 2]), targets: .stepClasses([0, 1, 2, 3, 4, 5], steps: 3))
        #expect(stepwise.selecting([1, 0, 1]).targets == .stepClasses([3, 4, 5, 0, 1, 2, 3, 4, 5], steps: 3))
    }
}

@Suite("Standardization") struct StandardizationTests {
    @Test("Bytes and floats agree with the definition, globally and by columns, over many blocks of rows")
    func definition() throws {
        var random = CounterRandom(seed: 1, stream: 0)
        let rows = 40_000, width = 3
        let bytes = (0 ..< rows * width).map { UInt8(truncatingIfNeeded: random.next()) / ($0 % width == 1 ? 16 : 1) }
        let inBytes = try Samples(columns: width, features: .bytes(bytes), targets: .none)
        let inFloats = try Samples(columns: width, features: .floats(bytes.map { Float($0) }), targets: .none)
        func expected(_ values: [Double]) -> (Float, Float) {
            let mean = values.reduce(0, +) / Double(values.count)
            return (Float(mean), Float((values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)).squareRoot()))
        }
        // float64 sums of 120,000 terms are good to 1e-11, far below half a unit of float32: the rounded results are equal.
        for samples in [inBytes, inFloats] {
            let global = try #require(try Standardization.measured(samples, .global))
            #expect((global.mean, global.deviation) == (([expected(bytes.map(Double.init)).0]), [expected(bytes.map(Double.init)).1]))
            let columns = try #require(try Standardization.measured(samples, .columns))
            for column in 0 ..< width {
                let (mean, deviation) = expected(stride(from: column, to: bytes.count, by: width).map { Double(bytes[$0]) })
                #expect(columns.mean[column] == mean && columns.deviation[column] == deviation)
            }
            #expect(try Standardization.measured(samples, .none) == nil)
        }
    }

    @Test("A constant column is only centred, whatever its value", arguments: [0.1, -1e30, .leastNonzeroMagnitude, 0, 16_777_216] as [Float])
    func constant(value: Float) throws {
        let rows = 1000
        let features = (0 ..< rows).flatMap { [value, Float($0)] }
        let result = try #require(try Standardization.measured(Samples(columns: 2, features: .floats(features), targets: .none), .columns))
        #expect(result.mean == [value, 499.5] && result.deviation[0] == 1 && result.deviation[1] > 288)
        let global = try Standardization.measured(Samples(columns: 1, features: .floats([Float](repeating: value, count: rows)), targets: .none), .global)
        #expect(global?.mean == [value] && global?.deviation == [1])
        #expect(try Standardization.measured(Samples(columns: 1, features: .bytes([7, 7, 7]), targets: .none), .columns)?.deviation == [1])
    }

    @Test("Large means and huge values lose nothing")
    func cancellation() throws {
        let far = try Standardization.measured(Samples(columns: 1, features: .floats([10_000_000, 10_000_001, 10_000_002]), targets: .none), .columns)
        #expect(far?.mean == [10_000_001] && far?.deviation == [Float((2.0 / 3).squareRoot())])
        let huge = try Standardization.measured(Samples(columns: 1, features: .floats([-3e38, 3e38]), targets: .none), .columns)
        #expect(huge?.mean == [0] && huge?.deviation == [3e38])
    }

    @Test("Targets are measured a column at a time; classes and no rows are not measured")
    func targets() throws {
        let samples = try Samples(columns: 1, features: .bytes([0, 0]), targets: .values([1, 10, 3, 30], width: 2))
        #expect(try Standardization.measuredTargets(samples) == Standardization(mean: [2, 20], deviation: [1, 10]))
        #expect(try Standardization.measuredTargets(Samples(columns: 1, features: .bytes([0]), targets: .classes([0]))) == nil)
        #expect(try Standardization.measuredTargets(Samples(columns: 1, features: .bytes([0]), targets: .stepClasses([0, 1], steps: 2))) == nil)
        #expect(try Standardization.measured(Samples(columns: 1, features: .bytes([]), targets: .none), .columns) == nil)
        #expect(throws: FathomError.invalid("column 2 holds a value that is not finite; it cannot be standardized")) {
            try Standardization.measured(Samples(columns: 2, features: .floats([1, .nan]), targets: .none), .columns)
        }
    }

    @Test("It reads back from JSON bit for bit, and what cannot be right is refused")
    func codable() throws {
        let value = try Standardization(mean: [0.1, -3e38, .leastNonzeroMagnitude], deviation: [.pi, .leastNormalMagnitude, 1])
        #expect(try JSONDecoder().decode(Standardization.self, from: JSONEncoder().encode(value)) == value)
        for json in [#"{"mean":[1],"deviation":[]}"#, #"{"mean":[],"deviation":[]}"#, #"{"mean":[1],"deviation":[0]}"#, #"{"mean":[1],"deviation":[-1]}"#, #"{"mean":[1],"deviation":[1e-40]}"#] {
            #expect(throws: FathomError.self) { try JSONDecoder().decode(Standardization.self, from: Data(json.utf8)) }
        }
    }
}

@Suite("Counter-based draws") struct CounterRandomTests {
    @Test("Philox 4×32-10 gives the blocks of its authors' known-answer tests")
    func knownAnswers() {
        #expect(philox(SIMD4(repeating: 0), key: SIMD2(repeating: 0)) == SIMD4(0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8))
        #expect(philox(SIMD4(repeating: .max), key: SIMD2(repeating: .max)) == SIMD4(0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD))
        #expect(philox(SIMD4(0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344), key: SIMD2(0xA409_3822, 0x299F_31D0))
            == SIMD4(0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1))
    }

    @Test("Uniform and normal draws have their moments")
    func moments() {
        var random = CounterRandom(seed: 5, stream: 1)
        let n = 250_000
        var sums = [Double](repeating: 0, count: 4), uniform = 0.0, isInside = true
        for _ in 0 ..< n {
            let u = random.uniform(), x = random.normal()
            isInside = isInside && u >= 0 && u < 1
            uniform += u
            for power in 1 ... 4 { sums[power - 1] += pow(x, Double(power)) }
        }
        // Deviations of the means: uniform 5.8e-4; powers of a normal 2e-3, 2.8e-3, 7.7e-3, 2e-2. Within 4 of them.
        #expect(isInside && abs(uniform / Double(n) - 0.5) < 2.3e-3)
        for (moment, (expected, tolerance)) in zip(sums, [(0.0, 8e-3), (1.0, 1.1e-2), (0.0, 3.1e-2), (3.0, 7.8e-2)]) {
            #expect(abs(moment / Double(n) - expected) < tolerance)
        }
    }

    @Test("The logarithm is within 4.5e-16 · max(1, |ln x|)")
    func logarithm() {
        var random = CounterRandom(seed: 2, stream: 2)
        for _ in 0 ..< 20_000 {
            let x = random.uniform() * Double(sign: .plus, exponent: Int(random.integer(below: 120)) - 60, significand: 1) + 1e-300
            #expect(abs(naturalLogarithm(x) - log(x)) <= 4.5e-16 * max(1, abs(log(x))), "\(x)")
        }
    }

    @Test("Integers are below their bound, and each as likely")
    func integers() {
        var random = CounterRandom(seed: 3, stream: 3), counts = [Int](repeating: 0, count: 7)
        for _ in 0 ..< 70_000 { counts[Int(random.integer(below: 7))] += 1 }
        // Binomial: deviation 92.6.
        #expect(counts.allSatisfy { abs($0 - 10_000) < 463 })
    }
}
