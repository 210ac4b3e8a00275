/// Lines through places of a figure; what is nil is a gap.
enum Polyline {
    typealias Place = (x: Double, y: Double)

    /// A line of more values is drawn by the lowest and the highest of each of `spans` equal spans.
    static let mostValues = 1_000, spans = 360

    /// A value between two gaps is a dot.
    static func path(_ places: [Place?]) -> String {
        var d = "", isDown = false
        for (index, place) in places.enumerated() {
            guard let place else {
                isDown = false
                continue
            }
            d += (isDown ? "L" : "M") + coordinate(place.x) + " " + coordinate(place.y)
            if !isDown, index + 1 == places.count || places[index + 1] == nil { d += "h0" }
            isDown = true
        }
        return d
    }

    /// Of each of `spans` equal spans of the values the lowest and the highest, in their order, and the first gap.
    static func thinned(_ places: [Place?]) -> [Place?] {
        guard places.count > mostValues else { return places }
        return (0..<spans).flatMap { span -> [Place?] in
            let range = places.count * span / spans..<places.count * (span + 1) / spans
            let found = range.compactMap { index in places[index].map { (index, $0.y) } }
            guard let low = found.max(by: { $0.1 < $1.1 }), let high = found.min(by: { $0.1 < $1.1 }) else { return [nil] }
            let gap = found.count < range.count ? range.first { places[$0] == nil } : nil
            return Set([low.0, high.0] + (gap.map { [$0] } ?? [])).sorted().map { places[$0] }
        }
    }

    /// `count` of the places at most, evenly spread; different for each `shift`, so that marks of several lines do not lie on one another.
    static func spread(_ places: [Place?], _ count: Int, shift: Int) -> [Place] {
        let places = places.compactMap(\.self)
        guard places.count > count else { return places }
        let offset = Double(shift % 4) / 4
        return (0..<count).map { places[min(places.count - 1, Int((Double($0) + offset) * Double(places.count) / Double(count)))] }
    }
}
