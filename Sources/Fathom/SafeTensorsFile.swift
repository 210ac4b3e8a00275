import Foundation

/// The content of a safetensors file, tensor by tensor: values are read, or made, when they are asked for, so that nobody need hold all of them.
///
/// The format is that of `SafeTensors`, which holds them all.
public struct SafeTensorsFile {
    public struct Tensor {
        public var name: String
        public var shape: [Int]
        /// Row-major; as many as the product of the shape. Each call reads or makes them anew.
        public let values: () throws -> [Float]

        public init(name: String, shape: [Int], values: @escaping () throws -> [Float]) {
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

    public init(_ all: SafeTensors) {
        self.init(metadata: all.metadata, tensors: all.tensors.map { tensor in Tensor(name: tensor.name, shape: tensor.shape) { tensor.values } })
    }

    public subscript(name: String) -> Tensor? { tensors.first { $0.name == name } }

    // MARK: Reading

    /// Reads the header. The file stays open for as long as a tensor of it is there, so that another may take its name meanwhile.
    ///
    /// - Parameter name: what to call the file in errors; nil: its path.
    /// - Throws: `FathomError.noSuchInput`, or `FathomError.invalid` naming what is wrong with the file. `values` throws `FathomError.inputOutput` where
    ///   reading fails.
    public init(contentsOf url: URL, name: String? = nil) throws {
        let name = name ?? url.path
        var status = stat()
        guard stat(url.path, &status) == 0 || errno != ENOENT && errno != ENOTDIR else { throw FathomError.noSuchInput("\(name): no such file") }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw FathomError.invalid("\(name) is a folder; a .safetensors file is wanted") }
        guard let file = try? FileHandle(forReadingFrom: url) else { throw FathomError.noSuchInput("\(name) cannot be read") }
        // A pipe can be read once, and in order.
        guard status.st_mode & S_IFMT == S_IFREG else {
            guard let data = try? Data(contentsOf: url) else { throw FathomError.noSuchInput("\(name) cannot be read") }
            try self.init(data, name: name)
            return
        }
        try self.init(byteCount: Int(status.st_size), name: name) { position, target in
            var done = 0
            while done < target.count {
                let n = pread(file.fileDescriptor, target.baseAddress! + done, target.count - done, off_t(position + done))
                if n < 0, errno == EINTR { continue }
                guard n > 0 else {
                    throw FathomError.inputOutput("\(name): reading failed: \(n == 0 ? "it has become shorter" : String(cString: strerror(errno)))")
                }
                done += n
            }
        }
    }

    /// - Parameter name: what to call the data in errors.
    public init(_ data: Data, name: String) throws {
        try self.init(byteCount: data.count, name: name) { position, target in
            let first = data.startIndex + position
            data.copyBytes(to: target, from: first..<first + target.count)
        }
    }

    /// - Parameter read: fills its second argument with the bytes from a position on.
    private init(byteCount: Int, name: String, read: @escaping (_ position: Int, _ target: UnsafeMutableRawBufferPointer) throws -> Void) throws {
        func invalid(_ what: String) -> FathomError { .invalid("\(name): \(what)") }
        guard byteCount >= 8 else { throw invalid("not a safetensors file: \(byteCount) bytes, at least 8 are wanted") }
        var headerCount: UInt64 = 0
        try withUnsafeMutableBytes(of: &headerCount) { try read(0, $0) }
        headerCount = UInt64(littleEndian: headerCount)
        guard headerCount <= UInt64(byteCount - 8) else {
            throw invalid("not a safetensors file, or cut short: its header would take \(headerCount) bytes of \(byteCount - 8)")
        }
        var header = Data(count: Int(headerCount))
        try header.withUnsafeMutableBytes { try read(8, $0) }
        guard header.first == UInt8(ascii: "{"), let object = try? JSONSerialization.jsonObject(with: header) as? [String: Any] else {
            throw invalid("not a safetensors file: its header is not a JSON object")
        }
        let start = 8 + Int(headerCount), bodyCount = byteCount - start
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
            guard let elements = Self.elements(shape), elements <= bodyCount, offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= bodyCount,
                  offsets[1] - offsets[0] == elements * 4
            else {
                throw invalid("tensor '\(key)' does not fit: shape \(shape), bytes \(offsets[0])..<\(offsets[1]) of \(bodyCount); is the file cut short?")
            }
            let position = start + offsets[0]
            found.append((offsets[0], Tensor(name: key, shape: shape) {
                try [Float](unsafeUninitializedCapacity: elements) { target, initialized in
                    try read(position, UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(target)[..<(elements * 4)]))
                    initialized = elements
                }
            }))
        }
        tensors = found.sorted { ($0.begin, $0.tensor.name) < ($1.begin, $1.tensor.name) }.map(\.tensor)
    }

    /// nil where a side is negative, or there are more than can be counted.
    private static func elements(_ shape: [Int]) -> Int? {
        shape.reduce(into: Int?(1)) { product, side in
            guard let known = product, side >= 0 else { return product = nil }
            let (next, overflow) = known.multipliedReportingOverflow(by: side)
            product = overflow ? nil : next
        }
    }

    // MARK: Writing

    /// Writes the file, at once or not at all. The same tensors and metadata give the same bytes.
    ///
    /// - Throws: `FathomError.cannotCreate`, `FathomError.inputOutput`, or what `values` throw.
    public func write(to url: URL) throws { try writeAtomically(to: url, forEachPiece) }

    /// The bytes of the file.
    func serialized() throws -> Data {
        var data = Data()
        try forEachPiece { data.append(contentsOf: $0) }
        return data
    }

    private func forEachPiece(_ take: (UnsafeRawBufferPointer) throws -> Void) throws {
        try header().withUnsafeBytes(take)
        for tensor in tensors {
            let values = try tensor.values()
            guard values.count == Self.elements(tensor.shape) else {
                throw FathomError.invalid("tensor '\(tensor.name)' has \(values.count) values, its shape is \(tensor.shape)")
            }
            try values.withUnsafeBytes(take)
        }
    }

    /// What stands before the values.
    private func header() throws -> Data {
        var header: [String: Any] = [:], begin = 0
        if !metadata.isEmpty { header["__metadata__"] = metadata }
        for tensor in tensors {
            guard let elements = Self.elements(tensor.shape), elements <= (.max - begin) / 4 else {
                throw FathomError.invalid("tensor '\(tensor.name)' cannot be of shape \(tensor.shape)")
            }
            let end = begin + elements * 4
            header[tensor.name] = ["dtype": "F32", "shape": tensor.shape, "data_offsets": [begin, end]] as [String: Any]
            begin = end
        }
        let json = try JSONSerialization.data(withJSONObject: header, options: [.sortedKeys, .withoutEscapingSlashes])
        // Spaces bring the data to a multiple of 64 bytes, so that a mapped file can be used in place.
        let spaces = Data(repeating: UInt8(ascii: " "), count: (64 - (8 + json.count) % 64) % 64)
        return withUnsafeBytes(of: UInt64(json.count + spaces.count).littleEndian) { Data($0) } + json + spaces
    }
}
