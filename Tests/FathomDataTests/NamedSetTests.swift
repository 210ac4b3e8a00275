import Fathom
import FathomData
import Foundation
import Testing

private let fashionFolder = "/usr/share/datasets/fashion-mnist"

@Suite("Named sets") struct NamedSetTests {
    @Test("digits has 1,797 images of 8×8 and ten classes")
    func digits() throws {
        let digits = try Dataset("digits")
        #expect(digits.name == "digits" && digits.kind == .images && digits.test == nil)
        #expect(digits.training.count == 1797 && digits.training.columns == 64)
        #expect(digits.classes == (0 ... 9).map(String.init))
        // scikit-learn's load_digits: the class counts, the first image's first two rows, the sum of all values.
        let classes = try #require(digits.training.classes)
        #expect((0 ... 9).map { digit in classes.count { $0 == digit } } == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
        #expect(digits.training.floats.prefix(16) == [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0])
        #expect(digits.training.floats.reduce(0, +) == 561_718)
    }

    @Test("Fashion-MNIST has 60,000 training and 10,000 test images, and stays bytes", .enabled(if: FileManager.default.fileExists(atPath: fashionFolder)),
          arguments: ["fashion-mnist", fashionFolder])
    func fashion(argument: String) throws {
        let fashion = try Dataset(argument)
        #expect(fashion.name == "fashion-mnist" && fashion.kind == .images)
        #expect(fashion.training.count == 60_000 && fashion.training.columns == 784)
        let test = try #require(fashion.test)
        #expect(test.count == 10_000)
        guard case .bytes = fashion.training.features else { Issue.record("the images are not bytes"); return }
        let classes = try #require(fashion.training.classes)
        #expect(classes.prefix(10) == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5])
        #expect((0 ... 9).allSatisfy { digit in classes.count { $0 == digit } == 6000 })
        #expect(fashion.classes?.first == "T-shirt/top" && fashion.classes?.last == "Ankle boot")
        #expect(fashion.notes.isEmpty)
    }
}
