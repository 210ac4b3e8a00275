import ArgumentParser
import FathomCommandLine
import FathomData
import FathomFormats

struct Datasets: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "datasets",
        abstract: "List the data sets that go by a name.",
        discussion: "Your own data are named by their path: .csv, .csv.gz, .npz, or a folder with an IDX set.")

    @Flag(help: "Print a JSON object for each.") var json = false

    func run() throws {
        if json {
            let lines = Dataset.named.map { set in
                (["name": .string(set.name), "description": .string(set.description)] as JSON).line + "\n"
            }
            return try StandardStreams.result(lines.joined())
        }
        let rows = Dataset.named.map { [$0.name, $0.description] }
        try StandardStreams.result(Table(header: ["name", "what it is"], rows: rows).text(width: Terminal.width(of: 1)))
    }
}
