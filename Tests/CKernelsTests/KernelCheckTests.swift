import CKernels
import KernelChecks
import Testing

/// Instruction sets of this machine, and every operation.
private let instructionSets: [String] = {
    var names: [String] = []
    while let name = fathom_isa_name(names.count) { names.append(String(cString: name)) }
    return names
}()

struct Operation: CustomTestStringConvertible, Sendable {
    let rawValue: UInt32
    var testDescription: String { String(cString: fathom_operation_name(fathom_operation(rawValue))) }
    static let all = (0..<FATHOM_OPERATIONS.rawValue).map(Operation.init)
}

@Suite struct KernelCheckTests {
    /// All sizes 0…40 in each dimension and larger ones around every tile edge; products also against the naive loop. See tools/kernelcheck.
    @Test("Every kernel equals its reference bit for bit on every instruction set", arguments: Operation.all)
    func equalsReference(operation: Operation) {
        var options = kernel_check_options(seed: 20, full: false, only_case: Int64(KERNEL_CHECK_EVERY_CASE), every: 1)
        let names = (0..<instructionSets.count).map { fathom_isa_name($0) }
        var results = [kernel_check_result](repeating: kernel_check_result(), count: names.count)
        let passed = kernel_check(fathom_operation(operation.rawValue), &options, names, names.count, &results)
        #expect(passed)
        for i in results.indices where !results[i].passed {
            let message = withUnsafeBytes(of: results[i].failure) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            Issue.record("\(message)")
        }
        for result in results { #expect(result.cases > 6000 || !result.passed) }
    }

    @Test func everyPartOfACallIsDoneOnceByOneThread() {
        var message = [CChar](repeating: 0, count: Int(KERNEL_CHECK_MESSAGE))
        #expect(shares_check(20, &message), "\(String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))")
    }

    @Test func everyTableNamesItsSetAndHasEveryKernel() throws {
        #expect(instructionSets.starts(with: ["reference", "baseline"]))
        for name in instructionSets {
            let table = try #require(fathom_kernels_named(name)).pointee
            #expect(String(cString: table.isa) == name)
            withUnsafeBytes(of: table.kernels) { bytes in
                for (k, kernel) in bytes.bindMemory(to: UInt.self).enumerated() {
                    #expect(kernel != 0, "\(name) has no \(String(cString: fathom_operation_name(fathom_operation(UInt32(k)))))")
                }
            }
        }
        #expect(fathom_kernels_named("pdp11") == nil)
        #expect(fathom_isa_name(instructionSets.count) == nil)
    }

    @Test func aListOfCallsGivesTheSameBitsOnAnyNumberOfThreads() {
        // Shares of several pieces, which threads that have done theirs take over: more threads than processors make sure of it.
        let rows = 130, inputs = 150, outputs = 420
        let x = Panels(rows, inputs, in: -1...1, seed: 1), w = Panels(inputs, outputs, in: -1...1, seed: 2), bias = Panels(1, outputs, in: -1...1, seed: 3)
        func step(threads: Int32) -> [[UInt32]] {
            let y = Panels(rows, outputs), wt = Panels(outputs, inputs), dx = Panels(rows, inputs), dw = Panels(inputs, outputs), beside = Panels(inputs, outputs)
            let turnedByDgrad = Panels(rows, inputs)
            let forward = call(FATHOM_GEMM_FORWARD) {
                $0.gemm_forward = fathom_gemm_forward_arguments(
                    rows: rows, inputs: inputs, outputs: outputs, x: x.pointer, x_stride: x.stride, w: w.pointer, w_stride: w.stride,
                    bias: bias.pointer, activation: FATHOM_TANH, parameter: 0, accumulate: false, slope: nil, slope_stride: 0, y: y.pointer,
                    y_stride: y.stride)
            }
            let transpose = call(FATHOM_TRANSPOSE) {
                $0.transpose = fathom_transpose_arguments(
                    rows: inputs, columns: outputs, m: w.pointer, m_stride: w.stride, t: wt.pointer, t_stride: wt.stride)
            }
            let dgrad = call(FATHOM_GEMM_DGRAD) {
                $0.gemm_dgrad = fathom_gemm_dgrad_arguments(
                    rows: rows, inputs: inputs, outputs: outputs, dy: y.pointer, dy_stride: y.stride, w: wt.pointer, w_stride: wt.stride,
                    transposed: true, activation: FATHOM_IDENTITY, parameter: 0, accumulate: false, saved: nil, saved_stride: 0, dx: dx.pointer,
                    dx_stride: dx.stride, blocks: fathom_signal_blocks())
            }
            let wgrad = call(FATHOM_GEMM_WGRAD) {
                $0.gemm_wgrad = fathom_gemm_wgrad_arguments(
                    rows: rows, inputs: inputs, outputs: outputs, x: dx.pointer, x_stride: dx.stride, dy: y.pointer, dy_stride: y.stride,
                    accumulate: false, dw: dw.pointer, dw_stride: dw.stride, squares: nil)
            }
            var first = wgrad
            first.overlaps = true
            first.arguments.gemm_wgrad.x = UnsafePointer(x.pointer)
            first.arguments.gemm_wgrad.dw = beside.pointer
            var turning = dgrad
            turning.overlaps = true
            (turning.arguments.gemm_dgrad.w, turning.arguments.gemm_dgrad.w_stride) = (UnsafePointer(w.pointer), w.stride)
            (turning.arguments.gemm_dgrad.transposed, turning.arguments.gemm_dgrad.dx) = (false, turnedByDgrad.pointer)
            run(forward, transpose, first, turning, dgrad, wgrad, threads: threads)
            #expect(turnedByDgrad.bits == dx.bits)
            return [y.bits, wt.bits, dx.bits, dw.bits, beside.bits]
        }
        let one = step(threads: 1)
        for threads: Int32 in [2, 3, 5] + Array(repeating: 4, count: 20) { #expect(step(threads: threads) == one) }
    }

    /// Two chains of states, h ← tanh(h + before·w), without a call between them: the second one's first state needs all rows of the first one's last.
    @Test(arguments: [130, 96, 50, 33]) func chainsGiveTheSameBitsOnAnyNumberOfThreads(rows: Int) {
        let width = 48, others = 64, steps = 30
        let u = Panels(width, width, in: -0.3...0.3, seed: 6), start = Panels(rows, width, in: -1...1, seed: 7), mixed = Panels(others, rows, in: -0.1...0.1, seed: 8)
        func state(_ before: Panels, _ w: Panels, into h: Panels) -> fathom_call {
            var state = call(FATHOM_GEMM_FORWARD) {
                $0.gemm_forward = fathom_gemm_forward_arguments(
                    rows: h.rows, inputs: w.rows, outputs: width, x: before.pointer, x_stride: before.stride, w: w.pointer, w_stride: w.stride, bias: nil,
                    activation: FATHOM_TANH, parameter: 0, accumulate: true, slope: nil, slope_stride: 0, y: h.pointer, y_stride: h.stride)
            }
            state.by_rows = true
            return state
        }
        func states(threads: Int32) -> [[UInt32]] {
            let first = (0..<steps).map { _ in Panels(rows, width) }, second = (0..<steps).map { _ in Panels(others, width) }
            let calls = (0..<steps).map { state($0 == 0 ? start : first[$0 - 1], u, into: first[$0]) }
                + (0..<steps).map { $0 == 0 ? state(mixed, first[steps - 1], into: second[0]) : state(second[$0 - 1], u, into: second[$0]) }
            fathom_run(calls, calls.count, threads)
            return (first + second).map(\.bits)
        }
        let one = states(threads: 1)
        for threads: Int32 in [2, 3, 5] + Array(repeating: 4, count: 10) {
            let isSame = states(threads: threads) == one
            #expect(isSame)
        }
    }

    /// Products so small that they vanish leave a zero with their sign, to which no product of padding may be added: −0 + 0 is 0.
    @Test(arguments: 1...17) func aChainEndsWithItsLastProduct(rows: Int) {
        let inputs = 70, outputs = 75
        let dy = Panels(rows, outputs) { _, _ in -0x1p-100 }, w = Panels(inputs, outputs) { _, _ in 0x1p-100 }, dx = Panels(rows, inputs)
        run(call(FATHOM_GEMM_DGRAD) {
            $0.gemm_dgrad = fathom_gemm_dgrad_arguments(
                rows: rows, inputs: inputs, outputs: outputs, dy: dy.pointer, dy_stride: dy.stride, w: w.pointer, w_stride: w.stride, transposed: false,
                activation: FATHOM_IDENTITY, parameter: 0, accumulate: false, saved: nil, saved_stride: 0, dx: dx.pointer, dx_stride: dx.stride, blocks: fathom_signal_blocks())
        })
        #expect(dx.values.allSatisfy { $0.sign == .minus && $0 == 0 })
    }

    @Test func microBatchesOfConsecutiveRowsGiveTheBitsOfTheWholeBatch() {
        let rows = 97, inputs = 40, outputs = 33
        let x = Panels(rows, inputs, in: -1...1, seed: 4), dy = Panels(rows, outputs, in: -1...1, seed: 5)
        func wgrad(_ parts: [Range<Int>]) -> [UInt32] {
            let dw = Panels(inputs, outputs)
            for (i, part) in parts.enumerated() {
                run(call(FATHOM_GEMM_WGRAD) {
                    $0.gemm_wgrad = fathom_gemm_wgrad_arguments(
                        rows: part.count, inputs: inputs, outputs: outputs, x: x.pointer + 16 * part.lowerBound, x_stride: x.stride,
                        dy: dy.pointer + 16 * part.lowerBound, dy_stride: dy.stride, accumulate: i > 0, dw: dw.pointer, dw_stride: dw.stride, squares: nil)
                })
            }
            return dw.bits
        }
        #expect(wgrad([0..<1, 1..<30, 30..<96, 96..<97]) == wgrad([0..<rows]))
    }
}
