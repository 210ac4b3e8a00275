import Foundation

/// A file of named float32 tensors with text metadata, as PyTorch and others read and write it
/// (https://github.com/huggingface/safetensors): 8 bytes of header length, little-endian; a JSON header; the data, row-major, little-endian.
public struct SafeTensors: Sendable {
    public struct Tensor: Sendable, Equatable {
        public var name: String
        public var shape: [Int]
        /// Row-major; as many as the product of the shape.
        public var values: [Float]

        public init(name: String, shape: [Int], values: [Float]) {
            self.name = name
            self.shape = shape
            self.values = values
        }
    }

    public var metadata: [String: String]
    /// In the order of the file's data.
    public var tensors: [Tensor]

    public init(metadata: [String: String] = [:], tensors: [Tensor] = []) {
        self.metadata = metadata
        self.tensors = tensors
    }

    /// - Throws: `FathomError.noSuchInput`, or `FathomError.invalid` naming what is wrong with the file.
    public init(contentsOf url: URL) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else { throw FathomError.noSuchInput("\(url.path): no such file") }
        guard !isFolder.boolValue else { throw FathomError.invalid("\(url.path) is a folder; a .safetensors file is wanted") }
        guard let data = try? Data(contentsOf: url, options: .mappedIfSafe) else { throw FathomError.noSuchInput("\(url.path) cannot be read") }
        try self.init(data, name: url.path)
    }

    /// - Parameter name: what to call the data in errors.
    public init(_ data: Data, name: String) throws {
        func invalid(_ what: String) -> FathomError { .invalid("\(name): \(what)") }
        guard data.count >= 8 else { throw invalid("not a safetensors file: \(data.count) bytes, at least 8 are wanted") }
        let headerCount = data.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard headerCount <= UInt64(data.count - 8) else {
            throw invalid("not a safetensors file, or cut short: its header would take \(headerCount) bytes of \(data.count - 8)")
        }
        let header = data.dropFirst(8).prefix(Int(headerCount)), body = data.dropFirst(8 + Int(headerCount))
        guard header.first == UInt8(ascii: "{"), let object = try? JSONSerialization.jsonObject(with: header) as? [String: Any] else {
            throw invalid("not a safetensors file: its header is not a JSON object")
        }
        metadata = [:]
        var found: [(begin: Int, tensor: Tensor)] = []
        for (key, value) in object {
            if key == "__metadata__" {
                guard let texts = value as? [String: String] else { throw invalid("its metadata are not texts") }
                metadata = texts
                continue
            }
            guard let entry = value as? [String: Any], let type = entry["dtype"] as? String, let shape = entry["shape"] as? [Int],
                  let offsets = entry["data_offsets"] as? [Int], offsets.count == 2
            else { throw invalid("tensor '\(key)' lacks dtype, shape or data_offsets") }
            guard type == "F32" else { throw invalid("tensor '\(key)' is \(type); only F32 is read") }
            let elements = shape.reduce(into: Int?(1)) { product, side in
                guard let known = product, side >= 0 else { return product = nil }
                let (next, overflow) = known.multipliedReportingOverflow(by: side)
                product = overflow || next > body.count ? nil : next
            }
            guard let elements, offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= body.count, offsets[1] - offsets[0] == elements * 4 else {
                throw invalid("tensor '\(key)' does not fit: shape \(shape), bytes \(offsets[0])..<\(offsets[1]) of \(body.count); is the file cut short?")
            }
            let bytes = body.dropFirst(offsets[0]).prefix(offsets[1] - offsets[0])
            let values = [Float](unsafeUninitializedCapacity: elements) { target, initialized in
                _ = UnsafeMutableRawBufferPointer(target).initializeMemory(as: UInt8.self, from: bytes)
                initialized = elements
            }
            found.append((offsets[0], Tensor(name: key, shape: shape, values: values)))
        }
        tensors = found.sorted { ($0.begin, $0.tensor.name) < ($1.begin, $1.tensor.name) }.map(\.tensor)
    }

    public subscript(name: String) -> Tensor? { tensors.first { $0.name == name } }

    /// The bytes of the file. The same tensors and metadata give the same bytes.
    public func serialized() throws -> Data {
        var header: [String: Any] = [:], begin = 0
        if !metadata.isEmpty { header["__metadata__"] = metadata }
        for tensor in tensors {
            let end = begin + tensor.values.count * 4
            header[tensor.name] = ["dtype": "F32", "shape": tensor.shape, "data_offsets": [begin, end]] as [String: Any]
            begin = end
        }
        var json = try JSONSerialization.data(withJSONObject: header, options: [.sortedKeys, .withoutEscapingSlashes])
        // Spaces bring the data to a multiple of 64 bytes, so that a mapped file can be used in place.
        json.append(Data(repeating: UInt8(ascii: " "), count: (64 - (8 + json.count) % 64) % 64))
        var data = Data(capacity: 8 + json.count + begin)
        withUnsafeBytes(of: UInt64(json.count).littleEndian) { data.append(contentsOf: $0) }
        data.append(json)
        for tensor in tensors { tensor.values.withUnsafeBytes { data.append(contentsOf: $0) } }
        return data
    }
}
