import Foundation
import Testing

@Suite("Losses")
struct LossTests {
    /// 40 rows of class a, 10 of class b, apart but for a few.
    private static let table = "x,y,label\n" + (0..<50).map { i in
        i % 5 == 0 ? "\(Double(i % 9) / 9 - 0.2),\(i % 7),b\n" : "\(-Double(i % 11) / 11),\(i % 3),a\n"
    }.joined()

    @Test("balanced weights become numbers in recipe and model, and a run goes on with them")
    func balanced() throws {
        let workshop = try Workshop()
        try workshop.write(Self.table, "t.csv")
        let options = ["--data", "t.csv", "--loss", "cross-entropy(smoothing: 0.1, weights: balanced)", "--batch", "10"]
        let trained = try workshop.start(["train"] + options + ["--epochs", "2", "--output", "run"]).wait()
        #expect(trained.status == 0 && trained.errors.contains("class weights: a 0.625, b 2.5 (balanced;"), "\(trained.errors)")
        let resolved = "cross-entropy(smoothing: 0.1, weights: classes(0.625, 2.5))"
        #expect(try String(decoding: workshop.read("run/recipe.yaml"), as: UTF8.self).contains(resolved))
        #expect(try String(decoding: workshop.read("run/model.safetensors"), as: UTF8.self).contains(resolved))

        #expect(try workshop.fathom("resume", "run", "--epochs", "4", "--verify", "--quiet").status == 0)
        let whole = try workshop.start(["train"] + options + ["--epochs", "4", "--output", "whole", "--quiet"]).wait()
        #expect(try whole.status == 0 && workshop.read("run/model.safetensors") == workshop.read("whole/model.safetensors"))
        let evaluated = try #require(Workshop.objects(workshop.fathom("evaluate", "run", "--data", "t.csv", "--json").output).first)
        #expect(try #require(evaluated["loss"] as? Double) > 0 && evaluated["accuracy"] as? Double != nil)
    }

    @Test("an absolute error is measured in the target's own units")
    func absoluteError() throws {
        let workshop = try Workshop()
        try workshop.write("x,y\n" + (0..<200).map { "\(Double($0) / 100),\(1000 + 50 * Double($0) / 100)\n" }.joined(), "t.csv")
        let trained = try workshop.fathom(
            "train", "--data", "t.csv", "--network", "linear(outputs)", "--loss", "mean-absolute-error", "--optimizer", "rmsprop(0.01)", "--epochs", "60", "--batch", "50",
            "--output", "run", "--quiet")
        #expect(trained.status == 0, "\(trained.errors)")
        let predicted = try workshop.fathom("predict", "run", "--data", "t.csv").output.split(separator: "\n").dropFirst().compactMap { Double($0) }
        let evaluation = try #require(Workshop.objects(workshop.fathom("evaluate", "run", "--data", "t.csv", "--json").output).first)
        let mean = predicted.enumerated().reduce(0) { $0 + abs($1.element - (1000 + 50 * Double($1.offset) / 100)) } / 200
        // Predictions are float32s near 1000, with an ulp of 6e-5; the target's deviation is 29.
        #expect(abs(try #require(evaluation["loss"] as? Double) - mean) < 2e-4 && mean < 2)
    }
}
