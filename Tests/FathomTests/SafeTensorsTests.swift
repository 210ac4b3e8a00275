import Fathom
import Foundation
import Testing

@Suite struct SafeTensorsTests {
    static let file = SafeTensors(
        metadata: ["a": "b \"quoted\" é"],
        tensors: [.init(name: "z", shape: [2, 3], values: [1, -0.0, .infinity, 4, 5, .leastNonzeroMagnitude]), .init(name: "empty", shape: [0, 4], values: [])])

    @Test func whatIsWrittenIsReadBack() throws {
        let data = try Self.file.serialized(), read = try SafeTensors(data, name: "f")
        #expect(read.metadata == Self.file.metadata)
        #expect(read["z"]?.values.map(\.bitPattern) == Self.file.tensors[0].values.map(\.bitPattern))
        #expect(read["empty"] == Self.file.tensors[1])
        #expect(try read.serialized() == data || read.tensors.map(\.name) == ["empty", "z"])
        #expect((8 + Int(data[0]) + Int(data[1]) << 8) % 64 == 0)
    }

    static func header(_ json: String, body: Int = 0) -> Data {
        withUnsafeBytes(of: UInt64(json.utf8.count).littleEndian) { Data($0) } + Data(json.utf8) + Data(count: body)
    }

    static let broken: [(Data, String)] = [
        (Data(), "not a safetensors file: 0 bytes, at least 8 are wanted"),
        (Data(repeating: 0xff, count: 20), "not a safetensors file, or cut short: its header would take 18446744073709551615 bytes of 12"),
        (header("[]"), "not a safetensors file: its header is not a JSON object"),
        (header("{"), "not a safetensors file: its header is not a JSON object"),
        (header(#"{"t":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}"#, body: 2), "tensor 't' is F16; only F32 is read"),
        (header(#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, body: 7), "tensor 't' does not fit: shape [2], bytes 0..<8 of 7; is the file cut short?"),
        (header(#"{"t":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, body: 8), "tensor 't' does not fit: shape [-2], bytes 0..<8 of 8; is the file cut short?"),
        (header(#"{"t":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#),
         "tensor 't' does not fit: shape [4611686018427387904, 4], bytes 0..<0 of 0; is the file cut short?"),
        (header(#"{"t":{"dtype":"F32"}}"#), "tensor 't' lacks dtype, shape or data_offsets"),
        (header(#"{"__metadata__":{"a":1}}"#), "its metadata are not texts"),
    ]

    @Test(arguments: broken)
    func brokenFilesAreRefused(data: Data, message: String) {
        #expect(throws: FathomError.invalid("f: \(message)")) { try SafeTensors(data, name: "f") }
    }

    @Test func everyTruncationIsRefused() throws {
        let data = try Self.file.serialized()
        for count in 0..<data.count { #expect(throws: FathomError.self) { try SafeTensors(data.prefix(count), name: "f") } }
    }

    @Test func aFileIsReadAndWrittenTensorByTensor() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "fathom-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let url = folder.appending(path: "f"), bytes = try Self.file.serialized()
        try SafeTensorsFile(Self.file).write(to: url)
        #expect(try Data(contentsOf: url) == bytes)
        var file = try SafeTensorsFile(contentsOf: url)
        #expect(try SafeTensors(file).serialized() == bytes)

        // What fails under way leaves the old file, and nothing else.
        struct Failure: Error {}
        let failing = SafeTensorsFile(tensors: file.tensors + [.init(name: "z", shape: [1]) { throw Failure() }])
        #expect(throws: Failure.self) { try failing.write(to: url) }
        #expect(throws: FathomError.invalid("tensor 'z' has 1 values, its shape is [2]")) {
            try SafeTensorsFile(tensors: [.init(name: "z", shape: [2]) { [1] }]).write(to: url)
        }
        #expect(try Data(contentsOf: url) == bytes)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["f"])

        // A file may be written anew from its own tensors.
        file.metadata["more"] = "1"
        try file.write(to: url)
        #expect(try SafeTensors(contentsOf: url).tensors == Self.file.tensors)
        #expect(try SafeTensors(file).tensors == Self.file.tensors)
        let cut = try SafeTensorsFile(contentsOf: url)
        #expect(truncate(url.path, off_t(try Data(contentsOf: url).count - 1)) == 0)
        #expect(throws: FathomError.inputOutput("\(url.path): reading failed: it has become shorter")) { try cut["z"]?.values() }
        #expect(throws: FathomError.self) { try SafeTensorsFile(contentsOf: url) }
    }

    @Test func writingWhereNothingCanBeWrittenIsRefusedAndLeavesNothing() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "fathom-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "f")
        try writeAtomically(Data([1]), to: file)
        try writeAtomically(Data([2, 3]), to: file)
        #expect(try Data(contentsOf: file) == Data([2, 3]))
        #expect(throws: FathomError.self) { try writeAtomically(Data([1]), to: file.appending(path: "below-a-file")) }
        #expect(throws: FathomError.self) { try writeAtomically(Data([1]), to: folder.appending(path: "missing/f")) }
        #expect(throws: FathomError.self) { try writeAtomically(Data([1]), to: folder) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["f"])
    }
}
