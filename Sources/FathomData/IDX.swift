import Fathom
import Foundation

/// An IDX array: two zero bytes, a type code, the number of dimensions, each size as a big-endian 32-bit number, then the values, big-endian
/// (LeCun, Cortes & Burges, "The MNIST database of handwritten digits").
struct IDXArray {
    enum Values {
        case bytes([UInt8])
        case numbers([Double])
    }

    var sizes: [Int]
    var values: Values

    /// What an array begins with, and where its values lie.
    private struct Header {
        let sizes: [Int]
        let type: ElementType
        let values: Range<Int>
    }

    private static func header(_ bytes: [UInt8], from start: Int, name: String) throws(FathomError) -> Header {
        guard bytes.count - start >= 4 else { throw .invalid("\(name) is too short for an IDX file: \(bytes.count - start) bytes") }
        guard bytes[start] == 0, bytes[start + 1] == 0, let type = elementTypes[bytes[start + 2]], bytes[start + 3] > 0 else {
            let found = bytes[start ..< start + 4].map { ("0" + String($0, radix: 16)).suffix(2) }.joined(separator: " ")
            throw .invalid("\(name) is not an IDX file: it begins with \(found), expected 00 00, a type (08, 09, 0b … 0e) and the number of dimensions")
        }
        let rank = Int(bytes[start + 3]), header = start + 4 + 4 * rank
        guard bytes.count >= header else { throw .invalid("\(name) is cut short: its header needs \(4 + 4 * rank) bytes, there are \(bytes.count - start)") }
        let sizes = (0 ..< rank).map { bigEndian(bytes, start + 4 + 4 * $0, 4) }
        var count = 1, overflow = false
        for size in sizes + [type.size] where !overflow { (count, overflow) = count.multipliedReportingOverflow(by: size) }
        guard !overflow, bytes.count - header >= count else {
            throw .invalid("\(name) is cut short: \(sizes.map(String.init).joined(separator: "×")) values need "
                + "\(overflow ? "more" : "\(count)") bytes, there are \(bytes.count - header)")
        }
        return Header(sizes: sizes, type: type, values: header ..< header + count)
    }

    /// The array at `start` of `bytes`, and where it ends.
    static func parse(_ bytes: [UInt8], from start: Int = 0, name: String) throws(FathomError) -> (array: IDXArray, end: Int) {
        let header = try Self.header(bytes, from: start, name: name)
        return (IDXArray(sizes: header.sizes, values: header.type.values(bytes, header.values)), header.values.upperBound)
    }

    /// A file that is one array.
    static func read(_ path: String) throws(FathomError) -> IDXArray {
        var bytes = try readUnpacked(path)
        let header = try Self.header(bytes, from: 0, name: path), more = bytes.count - header.values.upperBound
        guard more == 0 else { throw .invalid("\(path) has \(more) bytes after its \(header.sizes.map(String.init).joined(separator: "×")) values") }
        guard header.type.isByte else { return IDXArray(sizes: header.sizes, values: header.type.values(bytes, header.values)) }
        // In place: images are most of what a training holds, and a second copy of them would be its peak.
        bytes.removeFirst(header.values.lowerBound)
        return IDXArray(sizes: header.sizes, values: .bytes(bytes))
    }
}

private struct ElementType {
    var size: Int
    var isSigned = true
    var isFloat = false
    var isByte: Bool { size == 1 && !isSigned }

    func values(_ bytes: [UInt8], _ range: Range<Int>) -> IDXArray.Values {
        isByte ? .bytes(Array(bytes[range])) : .numbers(stride(from: range.lowerBound, to: range.upperBound, by: size).map { read(bytes, $0) })
    }

    func read(_ bytes: [UInt8], _ position: Int) -> Double {
        let bits = bigEndian(bytes, position, size)
        if isFloat { return size == 4 ? Double(Float(bitPattern: UInt32(bits))) : Double(bitPattern: UInt64(bitPattern: Int64(bits))) }
        let unused = 64 - 8 * size
        return Double((bits << unused) >> unused)
    }
}

private let elementTypes: [UInt8: ElementType] = [
    0x08: ElementType(size: 1, isSigned: false), 0x09: ElementType(size: 1), 0x0B: ElementType(size: 2), 0x0C: ElementType(size: 4),
    0x0D: ElementType(size: 4, isFloat: true), 0x0E: ElementType(size: 8, isFloat: true),
]

private func bigEndian(_ bytes: [UInt8], _ position: Int, _ size: Int) -> Int {
    bytes[position ..< position + size].reduce(0) { $0 << 8 | Int($1) }
}

/// Images and their labels.
func idxSamples(images: IDXArray, _ imagesName: String, labels: IDXArray?, _ labelsName: String) throws(FathomError) -> RawSamples {
    guard images.sizes.count > 1, !images.sizes.dropFirst().contains(0) else {
        let sizes = images.sizes.map(String.init).joined(separator: "×")
        throw .invalid("\(imagesName) has \(sizes) values; samples need at least two dimensions, the first of which counts them")
    }
    guard images.sizes[0] > 0 else { throw .invalid("\(imagesName) holds no samples") }
    let features: Samples.Features
    switch images.values {
    case .bytes(let bytes): features = .bytes(bytes)
    case .numbers(let numbers):
        let columns = numbers.count / images.sizes[0]
        if let wrong = numbers.firstIndex(where: { !Float($0).isFinite }) {
            throw .invalid("\(imagesName): sample \(wrong / columns + 1) holds \(numbers[wrong]), not a finite 32-bit number")
        }
        features = .floats(numbers.map { Float($0) })
    }
    var result = RawSamples(columns: features.count / images.sizes[0], features: features, kind: .images)
    if let labels {
        guard labels.sizes.count == 1 else {
            throw .invalid("\(labelsName) has \(labels.sizes.count) dimensions; labels have one")
        }
        guard labels.sizes[0] == images.sizes[0] else {
            throw .invalid("\(labelsName) has \(labels.sizes[0]) labels, but \(imagesName) has \(images.sizes[0]) images")
        }
        let numbers: [Double] = switch labels.values {
        case .bytes(let bytes): bytes.map { Double($0) }
        case .numbers(let numbers): numbers
        }
        if let wrong = numbers.firstIndex(where: { !$0.isFinite }) {
            throw .invalid("\(labelsName): label \(wrong + 1) is \(numbers[wrong]), not a finite number")
        }
        result.labels = Labels(values: .numbers(numbers, width: 1), name: "the label", place: { "\(labelsName): label \($0 + 1)" }, areClasses: true)
    }
    return result
}

/// The files of an IDX set: images, and labels where they are there.
struct IDXPair {
    var images: String
    var labels: String?

    func read() throws(FathomError) -> RawSamples {
        try idxSamples(images: IDXArray.read(images), images, labels: labels.map { path throws(FathomError) in try IDXArray.read(path) }, labels ?? "")
    }

    /// The pairs in a folder: files named like `train-images-idx3-ubyte`, with or without .gz, their labels named the same but for
    /// `labels` and `idx1`; with `t10k` or `test` in the name it is the test split.
    static func find(in folder: String) throws(FathomError) -> (training: IDXPair, test: IDXPair?) {
        guard let entries = try? FileManager.default.contentsOfDirectory(atPath: folder) else { throw .noSuchInput("cannot read the folder \(folder)") }
        let names = Set(entries)
        // Unpacked before packed, so that a set that lies there twice is one.
        let images = names.filter { role($0) == "images" && !($0.hasSuffix(".gz") && names.contains(String($0.dropLast(3)))) }.sorted()
        var training: [IDXPair] = [], test: [IDXPair] = []
        for name in images {
            let pair = IDXPair(images: join(folder, name), labels: partner(of: name, among: names).map { join(folder, $0) })
            if name.contains("t10k") || name.contains("test") { test.append(pair) } else { training.append(pair) }
        }
        for pairs in [training, test] where pairs.count > 1 {
            throw .invalid("\(folder) holds more than one IDX set: \(listed(pairs.map { URL(filePath: $0.images).lastPathComponent }))")
        }
        guard let first = training.first ?? test.first else {
            throw .invalid("\(folder) holds no IDX set; expected train-images-idx3-ubyte and train-labels-idx1-ubyte, or the same with .gz")
        }
        return (first, training.isEmpty ? nil : test.first)
    }

    /// An images file, with its labels beside it.
    init(beside path: String) throws(FathomError) {
        let url = URL(filePath: path), folder = url.deletingLastPathComponent().path
        guard IDXPair.role(url.lastPathComponent) != "labels" else { throw .invalid("\(path) holds labels; give the file of the images") }
        images = path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        labels = IDXPair.partner(of: url.lastPathComponent, among: Set(names)).map { join(folder, $0) }
    }

    init(images: String, labels: String?) {
        self.images = images
        self.labels = labels
    }

    private static func role(_ name: String) -> String? {
        guard name.contains("idx") else { return nil }
        return name.contains("images") ? "images" : name.contains("labels") ? "labels" : nil
    }

    private static func partner(of images: String, among names: Set<String>) -> String? {
        guard images.contains("images") else { return nil }
        let plain = images.hasSuffix(".gz") ? String(images.dropLast(3)) : images
        let wanted = plain.replacing("images", with: "labels").replacing(/idx\d/, with: "idx1")
        return [wanted, wanted + ".gz"].first(where: names.contains)
    }
}

private func join(_ folder: String, _ name: String) -> String { folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)" }
