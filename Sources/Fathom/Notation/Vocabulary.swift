/// The names of one kind of thing, and what other frameworks call them.
package struct Vocabulary: Sendable {
    /// What the names are names of: `layer`.
    let kind: String
    let names: [String]
    /// Names known from elsewhere, in lower case without `_` and `-`, and what they are called here.
    var synonyms: [String: String] = [:]
    /// Names known from elsewhere that have no counterpart here, and what to do instead.
    var notes: [String: String] = [:]

    package init(kind: String, names: [String], synonyms: [String: String] = [:], notes: [String: String] = [:]) {
        self.kind = kind
        self.names = names
        self.synonyms = synonyms
        self.notes = notes
    }

    /// The error for a name that is not one of these.
    package func unknown(_ name: String, at position: Position) -> FathomError {
        position.error("unknown \(kind) '\(name.shortened)'", remedy(for: name))
    }

    package func remedy(for name: String) -> String {
        let folded = Self.fold(name)
        if let note = notes[folded] { return note }
        if let suggestion = suggestion(for: name) { return "did you mean '\(suggestion)'?" }
        return "known: \(names.joined(separator: ", "))"
    }

    /// What the writer of an unknown name most likely meant.
    package func suggestion(for name: String) -> String? {
        let folded = Self.fold(name)
        return synonyms[folded] ?? nearest(to: folded)
    }

    static func fold(_ name: String) -> String {
        name.lowercased().filter { $0 != "_" && $0 != "-" }
    }

    /// The name that the fewest typing slips turn into this one; none where more than a third of its letters would be slips.
    /// Of equals the longest: a letter left out is the commonest slip.
    private func nearest(to name: String) -> String? {
        let ranked = names.map { (name: $0, slips: editDistance(name, Self.fold($0))) }
        let best = ranked.min { ($0.slips, -$0.name.count) < ($1.slips, -$1.name.count) }
        guard let best, best.slips <= max(1, name.count / 3) else { return nil }
        return best.name
    }
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other, each letter being touched
/// once (optimal string alignment). Words of more than 32 letters are as far apart as they are long.
func editDistance(_ a: String, _ b: String) -> Int {
    let a = Array(a), b = Array(b)
    guard a.count <= 32, b.count <= 32, !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
    var before: [Int] = [], previous = Array(0...b.count)
    for i in 1...a.count {
        var row = [i]
        for j in 1...b.count {
            var distance = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
            if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { distance = min(distance, before[j - 2] + 1) }
            row.append(distance)
        }
        (before, previous) = (previous, row)
    }
    return previous[b.count]
}
