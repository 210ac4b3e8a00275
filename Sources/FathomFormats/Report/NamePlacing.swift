/// A rectangle of a figure.
struct Box {
    let left: Double, top: Double, right: Double, bottom: Double

    /// A path around it.
    var outline: String { "M\(coordinate(left)) \(coordinate(bottom))V\(coordinate(top))H\(coordinate(right))V\(coordinate(bottom))z" }

    func overlap(_ other: Box) -> Double {
        max(0, min(right, other.right) - max(left, other.left)) * max(0, min(bottom, other.bottom) - max(top, other.top))
    }
}

/// Finds places for names in a figure where little lies, and no other text.
struct NamePlacing {
    struct Place {
        let x: Double, y: Double
        /// As in the page's classes: "", "middle" or "end".
        let anchor: String

        func box(_ name: String) -> Box {
            let width = Double(name.count) * Drawing.letter, left = x - (anchor == "end" ? width : anchor == "middle" ? width / 2 : 0)
            return Box(left: left, top: y - 11, right: left + width, bottom: y + 3)
        }
    }

    private let data: [Box]
    private var texts: [Box]

    init(data: [Box], texts: [Box]) { (self.data, self.texts) = (data, texts) }

    /// The first of the places at which the name lies on least; a text weighs more than any data.
    /// - Parameter most: the share of the name that may lie on something; nil where more would.
    mutating func place(_ name: String, _ places: [Place], most: Double = .infinity) -> Place? {
        let costs = places.map { place -> Double in
            let box = place.box(name)
            return data.reduce(0) { $0 + $1.overlap(box) } + 1000 * texts.reduce(0) { $0 + $1.overlap(box) }
        }
        guard let best = costs.indices.min(by: { costs[$0] < costs[$1] }), case let box = places[best].box(name), costs[best] <= most * box.overlap(box) else { return nil }
        texts.append(box)
        return places[best]
    }
}
