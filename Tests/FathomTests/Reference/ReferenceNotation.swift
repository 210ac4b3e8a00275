/// A layer as the reference reads it out of a notation, which Fathom has printed and is therefore known to be well-formed.
struct Part {
    var name = ""
    /// Arguments without a label, and those with one, as they are written.
    var arguments: [String] = []
    var options: [String: String] = [:]
    /// The layers in the brackets behind a residual.
    var inside: [Part] = []

    func number(_ option: String, default standard: Double) -> Double { options[option].map { Double($0)! } ?? standard }
}

/// The layers of a notation in order, repeats expanded and groups flattened.
func parts(of notation: String) -> [Part] {
    var text = Substring(notation)
    return parts(&text)
}

/// Takes layers from the front of the text, up to its end or to the bracket that closes them, which is taken too.
private func parts(_ text: inout Substring) -> [Part] {
    var found: [Part] = []
    while true {
        skipSpace(&text)
        guard let first = text.first else { return found }
        var these: [Part] = []
        if first == "]" {
            text.removeFirst()
            return found
        } else if first == "[" {
            text.removeFirst()
            these = parts(&text)
        } else {
            these = [part(&text)]
        }
        skipSpace(&text)
        var times = 1
        if text.first == "*" {
            text.removeFirst()
            skipSpace(&text)
            times = Int(word(&text))!
        }
        for _ in 0..<times { found += these }
    }
}

private func part(_ text: inout Substring) -> Part {
    var part = Part(name: word(&text))
    if text.first == "(" {
        text.removeFirst()
        for argument in arguments(&text) {
            // A colon inside parentheses is one of the argument's own.
            if let colon = argument.firstIndex(of: ":"), !argument[..<colon].contains("(") {
                part.options[argument[..<colon].trimmed] = argument[argument.index(after: colon)...].trimmed
            } else {
                part.arguments.append(argument.trimmed)
            }
        }
    }
    if part.name == "residual" {
        skipSpace(&text)
        text.removeFirst()
        part.inside = parts(&text)
    }
    return part
}

/// Takes what stands before the parenthesis that closes, cut at the commas that are inside no other.
private func arguments(_ text: inout Substring) -> [Substring] {
    var found: [Substring] = [], start = text.startIndex, depth = 0
    for i in text.indices {
        switch text[i] {
        case "(": depth += 1
        case ")" where depth > 0: depth -= 1
        case ")":
            found.append(text[start..<i])
            text = text[text.index(after: i)...]
            return found
        case "," where depth == 0:
            found.append(text[start..<i])
            start = text.index(after: i)
        default: break
        }
    }
    fatalError("an unclosed parenthesis")
}

private func word(_ text: inout Substring) -> String {
    let word = text.prefix { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
    text = text.dropFirst(word.count)
    return String(word)
}

private func skipSpace(_ text: inout Substring) { text = text.drop(while: \.isWhitespace) }

extension Substring {
    fileprivate var trimmed: String { String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed()) }
}
