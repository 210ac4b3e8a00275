import Fathom

/// The adding problem (Hochreiter & Schmidhuber 1997, section 5.4; in this form Le, Jaitly & Hinton 2015): at each step a number, a
/// multiple of 2⁻²⁴ uniform in [0, 1), and a marker, 1 at one step of each half of the sequence and 0 elsewhere. The target is the sum of the
/// two marked numbers, of mean 1 and variance 1/6. The first half of an odd number of steps is the shorter.
func drawAdding(_ steps: Int, _ rows: Int, _ seed: UInt64) -> RawSamples {
    var random = CounterRandom(seed: seed, stream: Stream.adding)
    var features: [Float] = [], sums: [Double] = []
    features.reserveCapacity(rows * steps * 2)
    sums.reserveCapacity(rows)
    for row in 0 ..< rows {
        for _ in 0 ..< steps {
            features.append(Float(random.next() >> 8) * 0x1p-24)
            features.append(0)
        }
        let half = steps / 2
        let marked = [Int(random.integer(below: UInt32(half))), half + Int(random.integer(below: UInt32(steps - half)))]
        for step in marked { features[2 * (row * steps + step) + 1] = 1 }
        sums.append(marked.reduce(0) { $0 + Double(features[2 * (row * steps + $1)]) })
    }
    let labels = Labels(values: .numbers(sums, width: 1), name: "sum", place: { "row \($0 + 1)" })
    return RawSamples(columns: 2 * steps, features: .floats(features), labels: labels, kind: .sequences, steps: steps, target: "sum")
}

/// Symbols to remember, and how many there are of them.
let copySymbols = 10
private let copyAlphabet: UInt32 = 8
/// A step's features: one for each symbol, the blank, the start marker.
let copyFeatures = 10

/// The copying memory problem (Hochreiter & Schmidhuber 1997; in this form Arjovsky, Shah & Bengio 2016, section 4.1): ten of eight
/// symbols, each as likely, lag − 1 blanks, a marker, ten blanks, one-hot at each step. The target is a class at every step: blank, the
/// ninth, but in the last ten the ten symbols in their order.
func drawCopy(_ lag: Int, _ rows: Int, _ seed: UInt64) -> RawSamples {
    var random = CounterRandom(seed: seed, stream: Stream.copy)
    let steps = lag + 2 * copySymbols, blank = Int(copyAlphabet), marker = blank + 1
    var features = [UInt8](repeating: 0, count: rows * steps * copyFeatures)
    var classes = [Double](repeating: Double(blank), count: rows * steps)
    for row in 0 ..< rows {
        for step in 0 ..< steps {
            var feature = step == copySymbols + lag - 1 ? marker : blank
            if step < copySymbols {
                feature = Int(random.integer(below: copyAlphabet))
                classes[(row + 1) * steps - copySymbols + step] = Double(feature)
            }
            features[(row * steps + step) * copyFeatures + feature] = 1
        }
    }
    let names = (1 ... copyAlphabet).map(String.init) + ["blank"]
    let labels = Labels(
        values: .numbers(classes, width: steps), name: "the sequence", place: { "row \($0 + 1)" }, areClasses: true, classNames: names)
    return RawSamples(columns: steps * copyFeatures, features: .bytes(features), labels: labels, kind: .sequences, steps: steps)
}
