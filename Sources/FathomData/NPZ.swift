import Fathom

/// The arrays of an .npz: `x` and `y`, or `x_train` and `y_train`, with `x_test` and `y_test` as Keras' sets have them.
func readNPZ(_ path: String) throws(FathomError) -> (training: RawSamples, test: RawSamples?) {
    let zip = try ZipFile(path)
    let names = Set(zip.names.filter { $0.hasSuffix(".npy") }.map { String($0.dropLast(4)) })

    func array(_ name: String) throws(FathomError) -> NPYArray { try .parse(zip.content(name + ".npy"), name: "\(path): \(name)") }
    func samples(_ x: String, _ y: String) throws(FathomError) -> RawSamples {
        var samples = try npySamples(array(x), "\(path): \(x)")
        if names.contains(y) { samples.labels = try npyLabels(array(y), "\(path): \(y)", y, samples, "\(path): \(x)") }
        return samples
    }
    guard let x = ["x_train", "x", "x_test"].first(where: names.contains) else {
        let found = zip.names.isEmpty ? "nothing" : listed(zip.names)
        throw .invalid("\(path) holds \(found); expected the arrays x and y, or x_train and y_train (x_test, y_test)")
    }
    let hasTest = x == "x_train" && names.contains("x_test")
    return (try samples(x, x.replacing("x", with: "y")), hasTest ? try samples("x_test", "y_test") : nil)
}

/// One array, of features.
func readNPY(_ path: String) throws(FathomError) -> RawSamples {
    try npySamples(NPYArray.parse(readBytes(path), name: path), path)
}

/// An array of three dimensions or more is of images.
private func npySamples(_ array: NPYArray, _ name: String) throws(FathomError) -> RawSamples {
    guard !array.shape.isEmpty, !array.shape.contains(0) else {
        throw .invalid("\(name) is \(described(array.shape)); samples need at least one row and one column")
    }
    let features = try array.features(name)
    return RawSamples(columns: features.count / array.shape[0], features: features, kind: array.shape.count > 2 ? .images : .table)
}

private func npyLabels(
    _ array: NPYArray, _ name: String, _ key: String, _ samples: RawSamples, _ features: String
) throws(FathomError) -> Labels {
    guard 1 ... 2 ~= array.shape.count, !array.shape.dropFirst().contains(0) else {
        throw .invalid("\(name) is \(described(array.shape)); labels have a number, or a row of numbers, a sample")
    }
    guard array.shape[0] == samples.count else { throw .invalid("\(name) has \(array.shape[0]) labels, but \(features) has \(samples.count) rows") }
    let width = array.shape.count == 2 ? array.shape[1] : 1
    return Labels(values: .numbers(try array.numbers(name), width: width), name: key, place: { "\(name)[\($0)]" }, areClasses: samples.kind == .images)
}
