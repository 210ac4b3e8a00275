import Fathom
import Foundation
import Testing

@testable import FathomFormats

#if canImport(FoundationXML)
import FoundationXML
#endif

/// What an XML parser finds in a page: its text, the attributes of each element, and what is wrong with it.
final class ParsedPage: NSObject, XMLParserDelegate {
    private(set) var elements: [(name: String, attributes: [String: String])] = []
    private(set) var text = ""
    private(set) var problem: String?

    init(_ html: String) {
        super.init()
        let parser = XMLParser(data: Data(html.utf8))
        parser.delegate = self
        if !parser.parse() { problem = "line \(parser.lineNumber), column \(parser.columnNumber): \(parser.parserError.map { "\($0)" } ?? "unknown")" }
    }

    func parser(_: XMLParser, didStartElement name: String, namespaceURI _: String?, qualifiedName _: String?, attributes: [String: String]) {
        elements.append((name, attributes))
    }

    func parser(_: XMLParser, foundCharacters string: String) { text += string }

    /// Attributes of that name, of all elements.
    func values(_ attribute: String) -> [String] { elements.compactMap { $0.attributes[attribute] } }
}

@Suite("Pages")
struct PageTests {
    private static let nasty = "a<b>&amp;\"'c'\u{0}\u{1B}\u{FFFE}é😀 ]]> <script>alert(1)</script> \u{202E}http:"

    /// Everything that a page can hold, with names that would break markup.
    private static let page: Page = {
        var page = Page(nasty, nasty)
        page.verdict(nasty, isBad: true)
        page.heading(nasty)
        page.paragraph(nasty)
        page.list([nasty])
        page.code(nasty)
        page.facts([(nasty, nasty)])
        page.table([nasty, "b"], [[nasty, "2"]], right: [1])
        let values = [1, .nan, 3, .infinity, -.infinity, 1e308, -1e308, 0]
        let x = values.indices.map(Double.init)
        for scale in [Axis.Scale.linear, .logarithmic] {
            page.figure(Chart(nasty, x: Axis(nasty), y: Axis(nasty, scale), [
                .line(nasty, x, values, error: values), .theory("t", x, values), .points("p", x, values, error: values), .histogram("h", edges: x + [8], values),
                Chart.Series("r", .raw, x, values),
            ], marks: [.x(2, nasty), .y(.nan, nasty), .y(1, "one")], note: nasty))
            page.figure(Bars(nasty, x.map { "\($0)" + nasty }, x: Axis("x", scale), [("a", values), (nasty, x)]))
        }
        for diverging in [HeatMap.Scale.sequential, .diverging] {
            page.figure(HeatMap(nasty, rows: [nasty, "b"], "row", columns: ["1", "2", nasty, "4"], nasty, values, unit: nasty, scale: diverging, line: (nasty, [(0, 0), (.nan, 1), (3, 1)])))
        }
        page.figure(Chart("empty", x: Axis("x"), y: Axis("y"), []))
        page.figure(HeatMap("empty", rows: [], "", columns: [], "", [], unit: ""))
        page.figure(Bars("empty", [], x: Axis("x"), []))
        return page
    }()

    @Test("a page is well-formed, whatever its texts and values are, and shows them as they are")
    func wellFormed() {
        let parsed = ParsedPage(Self.page.html)
        #expect(parsed.problem == nil)
        #expect(parsed.text.contains("a<b>&amp;\"'c'\u{FFFD}\u{FFFD}\u{FFFD}é😀 ]]> <script>alert(1)</script>"))
        #expect(parsed.elements.count { $0.name == "figure" } == 9)
        // No number that is none has found its way into a path.
        for path in parsed.values("d") { #expect(!path.contains("nan") && !path.contains("inf") && !path.contains("e"), "\(path.prefix(100))") }
    }

    @Test("a number of the text stays on one line")
    func numbersInText() {
        var page = Page("t")
        page.paragraph("from 1.5e-3 <to> 2e7")
        #expect(page.html.contains("<p>from <span class=\"whole\">1.5e-3</span> &lt;to&gt; 2e7</p>"))
    }

    @Test("a page asks for nothing outside itself, and runs nothing")
    func selfContained() {
        let parsed = ParsedPage(Self.page.html)
        for name in ["src", "srcset", "xlink:href", "action", "data", "onload", "onclick"] { #expect(parsed.values(name).isEmpty) }
        #expect(parsed.values("href") == ["data:,"])
        for name in ["script", "img", "iframe", "object", "image", "use", "video"] { #expect(!parsed.elements.contains { $0.name == name }) }
        #expect(!pageStyle.contains("url(") && !pageStyle.contains("@import"))
        #expect(Self.page.html.contains("default-src 'none'"))
    }

    @Test("a page takes the place of an older one and of nothing else; what cannot be written leaves no trace")
    func writing() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "page-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = folder + "/report.html"
        try Page("first").write(to: path)
        try Page("second").write(to: path)
        try #expect(String(contentsOfFile: path, encoding: .utf8) == Page("second").html)
        try Data("<!DOCTYPE html><p>My thesis</p>".utf8).write(to: URL(filePath: path))
        #expect(throws: FathomError.cannotCreate("\(path) is there already and is no report of fathom's; name another file, or move it away")) { try Page("third").write(to: path) }
        #expect(throws: FathomError.self) { try Page("third").write(to: folder) }
        #expect(throws: FathomError.self) { try Page("third").write(to: folder + "/nowhere/report.html") }
        try #expect(FileManager.default.contentsOfDirectory(atPath: folder) == ["report.html"])
    }
}
