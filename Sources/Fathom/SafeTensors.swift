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
    public init(contentsOf url: URL) throws { try self.init(SafeTensorsFile(contentsOf: url)) }

    /// - Parameter name: what to call the data in errors.
    public init(_ data: Data, name: String) throws { try self.init(SafeTensorsFile(data, name: name)) }

    /// All tensors of a file.
    /// - Throws: what reading or making their values throws.
    public init(_ file: SafeTensorsFile) throws {
        self.init(metadata: file.metadata, tensors: try file.tensors.map { Tensor(name: $0.name, shape: $0.shape, values: try $0.values()) })
    }

    public subscript(name: String) -> Tensor? { tensors.first { $0.name == name } }

    /// The bytes of the file. The same tensors and metadata give the same bytes.
    ///
    /// - Throws: `FathomError.invalid` where a tensor has not as many values as its shape says.
    public func serialized() throws -> Data { try SafeTensorsFile(self).serialized() }
}
