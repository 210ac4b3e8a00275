import Fathom
import Foundation

/// A page of text, tables and figures as one HTML file, which asks for nothing outside itself: no script, no font, no picture. It follows the
/// reader's light or dark, fits a telephone, and prints.
///
///     var page = Page("The tower", "fathom-profiler lab tower --depth 75")
///     page.paragraph("The gradient of a chain of scalars is a product, and shrinks with every factor below one.")
///     page.figure(Chart("Gradient", x: Axis("depth"), y: Axis("‖∂L/∂x‖", .logarithmic), [.line("measured", depths, norms)]))
///     page.table(["depth", "gradient"], rows, right: [0, 1])
///     try page.write(to: "tower.html")
public struct Page: Sendable {
    public let title: String
    private var body = ""
    /// Figures that follow one another stand side by side where there is room.
    private var isAmongFigures = false

    /// - Parameter subtitle: what is measured, where, by what; may be empty.
    public init(_ title: String, _ subtitle: String = "") {
        self.title = title
        body = "<h1>\(escaped(title))</h1>" + (subtitle.isEmpty ? "" : "<p class=\"subtitle\">\(escaped(subtitle))</p>")
    }

    public mutating func heading(_ text: String) { add("<h2>\(escaped(text))</h2>") }

    public mutating func paragraph(_ text: String) { add("<p>\(prose(text))</p>") }

    /// The sentence to read first.
    /// - Parameter isBad: whether something is wrong.
    public mutating func verdict(_ text: String, isBad: Bool = false) {
        add("<p class=\"verdict\(isBad ? " bad" : "")\">\(isBad ? "▲ " : "")\(prose(text))</p>")
    }

    public mutating func list(_ items: [String]) {
        guard !items.isEmpty else { return }
        add("<ul>" + items.map { "<li>\(prose($0))</li>" }.joined() + "</ul>")
    }

    /// Text as it is, such as a recipe.
    public mutating func code(_ text: String) { add("<pre>\(escaped(text))</pre>") }

    /// Names and values.
    public mutating func facts(_ facts: [(name: String, value: String)]) {
        guard !facts.isEmpty else { return }
        let rows = facts.map { "<tr><th>\(escaped($0.name))</th><td>\(escaped($0.value))</td></tr>" }
        add("<div class=\"wide\"><table class=\"facts\">" + rows.joined() + "</table></div>")
    }

    /// - Parameter right: columns that are set to the right, as numbers are.
    public mutating func table(_ header: [String], _ rows: [[String]], right: Set<Int> = []) {
        func row(_ cells: [String], _ tag: String) -> String {
            "<tr>" + cells.enumerated().map { "<\(tag)\(right.contains($0) ? " class=\"right\"" : "")>\(escaped($1))</\(tag)>" }.joined() + "</tr>"
        }
        add("<div class=\"wide\"><table><thead>\(row(header, "th"))</thead><tbody>" + rows.map { row($0, "td") }.joined() + "</tbody></table></div>")
    }

    public mutating func figure(_ figure: some Figure) { figures([figure]) }

    /// Several, drawn at the same time on as many threads as there may be.
    public mutating func figures(_ figures: [any Figure]) {
        guard !figures.isEmpty else { return }
        if !isAmongFigures { body += "\n<div class=\"figures\">" }
        isAmongFigures = true
        let drawn = concurrentMap(figures.count) { figures[$0].svg }
        for (figure, svg) in zip(figures, drawn) {
            let note = figure.note.isEmpty ? "" : "<span>\(escaped(figure.note))</span>"
            body += "\n<figure><figcaption><b>\(escaped(figure.title))</b>\(note)</figcaption>\(svg)</figure>"
        }
    }

    private mutating func add(_ markup: String) {
        if isAmongFigures { body += "</div>" }
        isAmongFigures = false
        body += "\n" + markup
    }

    /// What says that a file is one of these.
    private static let mark = "<meta name=\"generator\" content=\"fathom "

    /// The file's text, which is well-formed XML too.
    public var html: String {
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"/>
        \(Self.mark)\(escaped(fathomVersion))"/>
        <meta name="viewport" content="width=device-width, initial-scale=1"/><meta name="color-scheme" content="light dark"/>
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"/>
        <link rel="icon" href="data:,"/><title>\(escaped(title))</title>
        <style>\(pageStyle)</style></head><body><main>
        \(body)\(isAmongFigures ? "</div>" : "")
        </main></body></html>

        """
    }

    /// Writes the page whole or not at all. An older page gives way to it, another file does not.
    /// - Throws: `FathomError.cannotCreate`, `.inputOutput` on a full disk.
    public func write(to path: String) throws {
        guard !RunFolder.isFolder(path) else { throw FathomError.cannotCreate("\(path) is a folder; name a file in it") }
        if FileManager.default.fileExists(atPath: path), !Self.isPage(path) {
            throw FathomError.cannotCreate("\(path) is there already and is no report of fathom's; name another file, or move it away")
        }
        try writeAtomically(Data(html.utf8), to: URL(filePath: path))
    }

    /// Whether the file at `path` was written by `write`.
    public static func isPage(_ path: String) -> Bool {
        guard let file = FileHandle(forReadingAtPath: path), let start = try? file.read(upToCount: 512) else { return false }
        return String(decoding: start, as: UTF8.self).contains(mark)
    }
}
