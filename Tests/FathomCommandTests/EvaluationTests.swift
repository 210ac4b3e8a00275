import FathomFormats
import Foundation
import Testing

@testable import Fathom
@testable import FathomCommand

/// A report on `rows` samples of `classes` classes, the first half of the classes told right.
private func report(classes: Int, names: [String]? = nil, rows: Int = 40) -> EvaluationReport {
    let targets = (0..<rows).map { Int32($0 % classes) }
    let logits = targets.flatMap { target in (0..<classes).map { Float($0 == Int(target) / 2 ? 1 : 0) } }
    var tally = EvaluationTally(.classes(targets), loss: .crossEntropy, outputs: classes, top: 5)
    tally.add(logits, firstRow: 0)
    return EvaluationReport(evaluation: tally.evaluation(loss: 0.25), data: "test", samples: rows, classNames: names)
}

private func report(predictions: [Float], targets: [Float], outputs: Int) -> EvaluationReport {
    var tally = EvaluationTally(.values(targets, width: outputs), loss: .meanSquaredError, outputs: outputs, top: 5)
    tally.add(predictions, firstRow: 0)
    return EvaluationReport(evaluation: tally.evaluation(loss: 0.5), data: "test", samples: targets.count / outputs, classNames: nil)
}

@Suite("What evaluate prints") struct EvaluationReportTests {
    @Test("a table, the classes, the confusion matrix")
    func classes() {
        #expect(report(classes: 3, names: ["a", "bc", "d"], rows: 3).text(width: 80) == """
                  rows  loss  accuracy  macro F1
            test     3  0.25   33.33 %    0.2222

            class  precision  recall      F1  support
            a         0.5000  1.0000  0.6667        1
            bc        0.0000  0.0000  0.0000        1
            d         0.0000  0.0000  0.0000        1

            confusion: a row for each class, a column for each prediction
            class  a  bc  d
            a      1   0  0
            bc     1   0  0
            d      0   1  0

            """)
    }

    @Test("numbers in the target's units, for each output and all, and why there is no R²")
    func numbers() {
        #expect(report(predictions: [1, 2], targets: [1, 3], outputs: 1).text(width: 80) == """
                  rows  loss    RMSE  MAE  R²
            test     2   0.5  0.7071  0.5  0.5

            """.replacing("  R²\n", with: "   R²\n"))
        #expect(report(predictions: [1, 2, 1, 2], targets: [1, 3, 2, 3], outputs: 2).text(width: 80) == """
                  rows  loss   RMSE   MAE  R²
            test     2   0.5  0.866  0.75  -1

            output    RMSE  MAE    R²
            1       0.7071  0.5    -1
            2            1    1  none

            R² is none: the target is constant

            """)
    }

    @Test("everything fits in any terminal of 20 columns and more", arguments: [2, 3, 10, 49, 51, 1001])
    func widths(classes: Int) {
        let names = (0..<classes).map { $0 % 3 == 0 ? "\($0)" : "a class with the long name \($0)" }
        let reports = [report(classes: classes, names: names), report(predictions: [1, 2, 1, 2], targets: [1, 3, 2, 3], outputs: 2)]
        for report in reports {
            for width in 20...130 {
                for line in report.text(width: width).split(separator: "\n") { #expect(line.count <= width, "\(width): \(line)") }
            }
            for width in 1..<20 { #expect(!report.text(width: width).isEmpty) }
        }
    }

    @Test("a matrix too wide for its names is headed by numbers; one too wide for those is left to --json; many classes show the worst")
    func abridged() {
        let names = (0..<8).map { "class number \($0)" }
        #expect(report(classes: 8, names: names).text(width: 60).contains("class             1  2  3  4  5  6  7  8\n1 class number 0  5  0  0  0  0  0  0  0\n"))
        #expect(report(classes: 8, names: names).text(width: 29).contains("class  1  2  3  4  5  6  7  8\n1      5  0  0  0  0  0  0  0\n"))
        #expect(report(classes: 8, names: names).text(width: 20).contains("the confusion matrix\nof 8 classes does\nnot fit here; --json\nhas it\n"))
        let many = report(classes: 60, rows: 120).text(width: nil)
        #expect(many.contains("the 20 of 60 classes with the lowest F1; --json has all\n") && many.split(separator: "\n").count == 25)
        #expect(report(classes: 1001, rows: 2).members.allSatisfy { $0.key != "confusion" })
    }
}

@Suite("Evaluations on the command line") struct EvaluationCommandTests {
    @Test("of classes, as JSON: top-k, F1, the classes' own figures, the confusion matrix; the end of a training says F1 too")
    func classes() throws {
        let workshop = try Workshop()
        try workshop.fathom("train", "--data", "digits", "--test", "0.2", "--epochs", "2", "--output", "run", "--quiet")
        let object = try #require(Workshop.objects(workshop.fathom("evaluate", "run", "--json", "--top", "3").output).first)
        #expect(Set(object.keys) == ["model", "data", "rows", "loss", "accuracy", "top_k", "top_k_accuracy", "f1", "classes", "confusion"])
        let classes = try #require(object["classes"] as? [[String: Any]]), confusion = try #require(object["confusion"] as? [[Int]])
        #expect(classes.map { $0["class"] as? String } == (0...9).map(String.init) && object["top_k"] as? Int == 3)
        #expect(confusion.map { $0.reduce(0, +) } == classes.map { $0["support"] as? Int } && confusion.joined().reduce(0, +) == 359)
        let right = Double((0...9).reduce(0) { $0 + confusion[$1][$1] })
        // Foundation reads a decimal to within a few units in its last place.
        #expect(abs(try #require(object["accuracy"] as? Double) - right / 359) < 1e-15)
        #expect(try #require(object["top_k_accuracy"] as? Double) > right / 359)
        let end = try #require(workshop.lines("run/history.jsonl").last)
        #expect(end["test_f1"] as? Double == object["f1"] as? Double && end["test_r2"] == nil)
        for (top, message) in [("10", "there are 10 classes, so no more than the top 9 says anything"), ("0", "--top takes a whole number from 1 on")] {
            let refused = try workshop.fathom("evaluate", "run", "--top", top)
            #expect(refused.status == (top == "0" ? 64 : 65) && refused.errors.contains(message), "\(refused.errors)")
        }
    }

    @Test("of numbers: RMSE, MAE and R², null with the reason where the target is constant; a generated set's recipe repeats its run")
    func numbers() throws {
        let workshop = try Workshop()
        let trained = try workshop.fathom("train", "--data", "teacher(300, outputs: 2)", "--test", "0.2", "--epochs", "2", "--output", "run", "--quiet")
        #expect(trained.output.contains(/^test loss [0-9.]+, RMSE [0-9.]+, R² -?[0-9.]+, on 60 rows\nrun\n$/), "\(trained.output)\(trained.errors)")
        let object = try #require(Workshop.objects(workshop.fathom("evaluate", "run", "--json").output).first)
        #expect(Set(object.keys) == ["model", "data", "rows", "loss", "rmse", "mae", "r2", "outputs"])
        let outputs = try #require(object["outputs"] as? [[String: Any]]), r2 = outputs.compactMap { $0["r2"] as? Double }
        #expect(outputs.map { $0["output"] as? Int } == [1, 2] && r2.count == 2)
        #expect(abs(try #require(object["r2"] as? Double) - r2.reduce(0, +) / 2) < 1e-14)
        let end = try #require(workshop.lines("run/history.jsonl").last)
        for key in ["rmse", "mae", "r2"] { #expect(end["test_" + key] as? Double == object[key] as? Double) }
        #expect(try workshop.fathom("train", "run/recipe.yaml", "--output", "again", "--quiet").status == 0)
        #expect(try workshop.read("again/model.safetensors") == workshop.read("run/model.safetensors"))
        let refused = try workshop.fathom("evaluate", "run", "--top", "2")
        #expect(refused.status == 65 && refused.errors.contains("--top is for models of classes; run predicts numbers"), "\(refused.errors)")

        let columns = (1...8).map { "x\($0)" }.joined(separator: ",")
        try workshop.write("\(columns),y\n" + (0..<4).map { "\($0),1,2,3,4,5,6,7,0.5\n" }.joined(), "flat.csv")
        try workshop.fathom("train", "--data", "teacher(300)", "--epochs", "1", "--output", "one", "--quiet")
        let flat = try #require(Workshop.objects(workshop.fathom("evaluate", "one", "--data", "flat.csv", "--json").output).first)
        #expect(flat["r2"] is NSNull && flat["r2_reason"] as? String == "the target is constant" && flat["outputs"] == nil && flat["rmse"] is Double)
    }

    @Test("a class for each step: every step counts, and predictions have a line for each")
    func steps() throws {
        let workshop = try Workshop()
        let trained = try workshop.fathom(
            "train", "--data", "copy(3, rows: 60)", "--test", "0.1", "--network", "sequence(23) lstm(8) linear(outputs)", "--epochs", "1", "--output", "run")
        #expect(trained.status == 0 && trained.errors.contains("9 classes at each of 23 steps"), "\(trained.errors)")
        #expect(trained.errors.contains("standardize: none") && !trained.errors.contains("a network that begins with"))
        let object = try #require(Workshop.objects(workshop.fathom("evaluate", "run", "--json").output).first)
        let classes = try #require(object["classes"] as? [[String: Any]])
        #expect(object["rows"] as? Int == 6 && object["steps"] as? Int == 138)
        #expect(classes.last?["class"] as? String == "blank" && classes.last?["support"] as? Int == 78)
        let lines = try workshop.fathom("predict", "run", "--data", "copy(3, rows: 2)").output.split(separator: "\n")
        #expect(lines.count == 47 && lines[0].hasPrefix("row,step,prediction,probability_1,"))
        #expect(lines[1].hasPrefix("1,1,") && lines[23].hasPrefix("1,23,") && lines[24].hasPrefix("2,1,"))
        // Numbers at each step are read and predicted alike.
        try workshop.fathom(
            "train", "--data", "copy(3, rows: 60)", "--loss", "mse", "--network", "sequence(23) rnn(4) linear(outputs)", "--epochs", "1", "--output", "mse", "--quiet")
        let numbers = try workshop.fathom("predict", "mse", "--data", "copy(3, rows: 2)")
        #expect(numbers.output.hasPrefix("row,step,prediction\n1,1,") && numbers.output.split(separator: "\n").count == 47, "\(numbers.errors)")
    }

    @Test("networks that answer at other steps than the targets have are refused with what would be right", arguments: [
        ("linear(outputs)", "copy(3, rows: 9)", "a sample has a class for each of 23 steps; the network answers once: begin it with sequence(23), without last or mean"),
        ("sequence(5) rnn(3) linear(outputs)", "copy(5, rows: 9)", "the network answers at each of 5: begin it with sequence(25), without last or mean"),
        ("sequence(6) rnn(3) linear(outputs)", "adding(6, rows: 9)", "the samples have 1 target each; the network has 6 steps of 1 outputs; last or mean makes one row of a sequence"),
        ("sequence(8) rnn(3) linear(outputs)", "digits", "a sample has one class; the network answers at each of 8 steps: add last or mean behind the sequence"),
    ])
    func refused(network: String, data: String, message: String) throws {
        let outcome = try Workshop().fathom("train", "--data", data, "--network", network, "--output", "run")
        #expect(outcome.status == 65 && outcome.errors.contains(message), "\(outcome.errors)")
    }
}
