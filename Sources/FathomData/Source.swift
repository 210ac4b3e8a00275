import Fathom
import Foundation

/// What a `data` argument names.
enum Source {
    case digits, fashionMNIST
    case generated(GeneratedSet)
    case csv(String), npz(String), npy(String), idxFile(String), idxFolder(String)

    /// - Parameter featuresOnly: An .npy of features will do.
    /// - Throws: `FathomError.noSuchInput` for what is neither a set nor a file; `.invalid` for a file of an unknown kind.
    init(_ argument: String, featuresOnly: Bool = false) throws(FathomError) {
        switch argument {
        case "digits": self = .digits
        case "fashion-mnist": self = .fashionMNIST
        case "": throw .noSuchInput("the data have no name; give a set (\(listed(Source.names))) or a path")
        case let path where isFolder(path): self = .idxFolder(path)
        case let path where FileManager.default.fileExists(atPath: path): self = try Source(file: path, featuresOnly)
        case let notation where GeneratedSet.names.contains(notation) || looksLikeNotation(notation): self = .generated(try GeneratedSet(notation))
        case let name:
            let remedy = Vocabulary(kind: "set", names: Source.names).remedy(for: name)
            throw .noSuchInput("there is no data set or file '\(name)'; \(remedy.hasPrefix("did") ? remedy : "sets are \(listed(Source.names))")")
        }
    }

    private init(file path: String, _ featuresOnly: Bool) throws(FathomError) {
        let name = URL(filePath: path).lastPathComponent.lowercased()
        switch name {
        case _ where name.hasSuffix(".csv") || name.hasSuffix(".csv.gz"): self = .csv(path)
        case _ where name.hasSuffix(".npz"): self = .npz(path)
        case _ where name.hasSuffix(".npy") && featuresOnly: self = .npy(path)
        case _ where name.hasSuffix(".npy"): throw .invalid("\(path) holds one array; features and labels together come in an .npz")
        case _ where name.contains("idx"): self = .idxFile(path)
        default:
            throw .invalid("\(path) is of a kind that is not known by its name; expected .csv, .csv.gz, .npz, or a folder with an IDX set")
        }
    }

    static let names = ["digits", "fashion-mnist"] + GeneratedSet.names

    var isCSV: Bool { if case .csv = self { true } else { false } }

    /// Names a run folder.
    var name: String {
        switch self {
        case .digits: "digits"
        case .fashionMNIST: "fashion-mnist"
        case .generated(let set): set.name
        case .csv(let path), .npz(let path), .npy(let path), .idxFile(let path), .idxFolder(let path): stem(path)
        }
    }

    /// The rows, and the set's own test split.
    func read(_ purpose: CSVPurpose) throws(FathomError) -> (training: RawSamples, test: RawSamples?) {
        switch self {
        case .digits: return (try readDigits(), nil)
        case .fashionMNIST: return try readFashionMNIST()
        case .generated(let set): return (try set.read(), nil)
        case .npz(let path): return try readNPZ(path)
        case .npy(let path): return (try readNPY(path), nil)
        case .csv(let path): return (try readCSV(readUnpacked(path), name: path, purpose), nil)
        case .idxFile(let path): return (try IDXPair(beside: path).read(), nil)
        case .idxFolder(let path): return try readIDXFolder(path)
        }
    }
}

/// `name(…)`, which few files are called.
private func looksLikeNotation(_ text: String) -> Bool {
    let text = text.filter { !$0.isWhitespace }, name = text.prefix { $0.isLetter || $0 == "-" || $0 == "_" }
    return !name.isEmpty && text.dropFirst(name.count).first == "(" && !text.contains("/") && !text.contains(".csv") && !text.contains(".npz")
}

private func readDigits() throws(FathomError) -> RawSamples {
    let bytes = try unpacked(PackageResources.digits_idx_gz, name: "digits")
    let (images, middle) = try IDXArray.parse(bytes, name: "digits")
    let (labels, _) = try IDXArray.parse(bytes, from: middle, name: "digits")
    var samples = try idxSamples(images: images, "digits", labels: labels, "digits")
    samples.labels?.classNames = (0 ... 9).map(String.init)
    return samples
}

func readFashionMNIST(_ folder: String = "/usr/share/datasets/fashion-mnist") throws(FathomError) -> (training: RawSamples, test: RawSamples?) {
    guard isFolder(folder) else {
        throw .noSuchInput("fashion-mnist is not in \(folder); on Debian 'apt-get install dataset-fashion-mnist' puts it there, "
            + "elsewhere give the path of the folder that holds its four files")
    }
    return try readIDXFolder(folder)
}

/// The classes of Fashion-MNIST in the order of their numbers (Xiao, Rasul & Vollgraf 2017, table 1).
private let clothes = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]

private func readIDXFolder(_ folder: String) throws(FathomError) -> (training: RawSamples, test: RawSamples?) {
    let (first, second) = try IDXPair.find(in: folder)
    var training = try first.read(), test = try second.map { (pair) throws(FathomError) in try pair.read() }
    if stem(folder) == "fashion-mnist" {
        training.labels?.classNames = clothes
        test?.labels?.classNames = clothes
    }
    return (training, test)
}
