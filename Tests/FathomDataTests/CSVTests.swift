import Fathom
import Foundation
import Testing
@testable import FathomData

@Suite("CSV") struct CSVTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    func dataset(_ content: String, target: String? = nil, classification: Bool? = nil) throws -> Dataset {
        try Dataset(scratch.file("data.csv", content), target: target, classification: classification)
    }

    @Test("A header, features and text labels: classes in sorted order")
    func textLabels() throws {
        let data = try dataset("width,height,species\n1.5,2,virginica\n-3e-2,.5,setosa\n+4,7.,virginica\n")
        #expect(data.columns == ["width", "height"] && data.target == "species" && data.classes == ["setosa", "virginica"])
        #expect(data.training.floats == [1.5, 2, -0.03, 0.5, 4, 7])
        #expect(data.training.classes == [1, 0, 1])
        #expect(data.name == "data" && data.kind == .table)
        #expect(data.notes == ["column 'species' is the target: text, so its 2 labels are the classes, in sorted order"])
    }
}
