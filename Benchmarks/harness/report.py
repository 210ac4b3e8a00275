"""Tables and the plot from measurements.jsonl: report.md, report.json, steps.svg, steps.png in the same folder.

A figure is the median over rounds of each round's median. A ratio is taken in each round, and then the median of those. Of each workload
(or number of threads) the last session that was brought to its end counts, or, where none was, the last.
"""
import json
import math
import os
import sys
from statistics import geometric_mean, median

HARNESS = os.path.dirname(os.path.abspath(__file__))
sys.path += [HARNESS, os.path.join(os.path.dirname(HARNESS), "peers")]
import plot
import record
import slices
from workload import Workload

NAMES = {
    "fathom": "Fathom", "fathom-1": "Fathom, 1 thread", "pytorch": "PyTorch", "pytorch-compiled": "PyTorch compiled", "jax": "JAX",
    "jax-scan": "JAX scan", "tensorflow-xla": "TensorFlow XLA", "openblas": "OpenBLAS (Debian)", "openblas-numpy": "OpenBLAS (NumPy's)",
    "blis": "BLIS", "mkl": "MKL", "mkl-as-on-intel": "MKL as on Intel", "onednn2": "oneDNN (Debian)", "onednn3": "oneDNN 3.2", "libxsmm": "libxsmm",
}
STEP_PEERS = ["pytorch", "pytorch-compiled", "jax", "jax-scan", "tensorflow-xla"]


# MARK: Choosing and gathering


def chosen(lines, part, label):
    """The lines of a part that count, by the value of `label`."""
    last, ended = {}, {}
    for line in lines:
        if line.get("part") == part and label in line:
            last[line[label]] = line["session"]
            if line.get("event") == "finished":
                ended[line[label]] = line["session"]
    sessions = last | ended
    return {value: [l for l in lines if l.get(label) == value and l["session"] == s and l.get("part") == part] for value, s in sorted(sessions.items())}


def rounds(lines, value, **labels):
    """What each peer measured, {peer: {round: value}}."""
    found = {}
    for line in lines:
        if "round" in line and all(line.get(key) == wanted for key, wanted in labels.items()):
            figure = value(line)
            if figure is not None:
                found.setdefault(line["peer"], {})[line["round"]] = figure
    return found


def figure(values):
    return median(values.values())


def ratio(theirs, ours):
    """Median over the rounds that both have; None where there is none."""
    both = [theirs[r] / ours[r] for r in theirs if r in ours]
    return median(both) if both else None


def spread(values):
    """Largest less smallest round, as a share of the median."""
    return (max(values.values()) - min(values.values())) / figure(values)


def best(values, peers):
    return min((peer for peer in peers if peer in values), key=lambda peer: figure(values[peer]), default=None)


def skipped(lines):
    """What did not take part, and why."""
    return {line["peer"]: line["skipped"] for line in lines if "skipped" in line}


# MARK: Steps


def steps(lines):
    result = {}
    for name, own in chosen(lines, "steps", "workload").items():
        ms = rounds(own, lambda line: line.get("ms"))
        peaks = rounds(own, lambda line: line.get("peak_gflops")).get("machine", {})
        flops = Workload(os.path.join(os.path.dirname(HARNESS), "workloads", f"{name}.yaml")).flops()
        entry = {
            "milliseconds": {peer: figure(values) for peer, values in ms.items()}, "spread": {peer: spread(values) for peer, values in ms.items()},
            "best_peer": best(ms, STEP_PEERS), "rounds": max((len(values) for values in ms.values()), default=0), "skipped": skipped(own),
            "peak_gflops": figure(peaks) if peaks else None, "session": own[0]["session"],
            "idle_share": next((line["idle_share"] for line in own if "idle_share" in line), None),
        }
        if "fathom" in ms:
            ours = ms["fathom"]
            entry["ratios"] = {peer: ratio(ms[peer], ours) for peer in STEP_PEERS if peer in ms}
            entry["scaling"] = ratio(ms["fathom-1"], ours) if "fathom-1" in ms else None
            entry["gflops"] = flops / figure(ours) * 1e-6
            shares = [flops / ours[r] * 1e-6 / peaks[r] for r in ours if r in peaks]
            entry["of_peak"] = median(shares) if shares else None
        result[name] = entry
    return result


def steps_table(result):
    peers = [peer for peer in STEP_PEERS if any(peer in e["milliseconds"] for e in result.values())]
    head = ["ms per step"] + [NAMES[peer] for peer in peers] + ["Fathom", "best peer ÷ Fathom", "1 thread ÷ 2", "GFLOP/s", "of peak", "spread"]
    rows = []
    for name, e in result.items():
        def cell(peer):
            value = e["milliseconds"].get(peer)
            text = number(value) if value is not None else "–"
            return f"**{text}**" if peer == e["best_peer"] else text

        rows.append([name] + [cell(peer) for peer in peers] + [
            cell("fathom"), times(e.get("ratios", {}).get(e["best_peer"])), times(e.get("scaling")), number(e.get("gflops")),
            percent(e.get("of_peak")), percent(e["spread"].get("fathom"))])
    gains = [e["ratios"][e["best_peer"]] for e in result.values() if e.get("ratios", {}).get(e["best_peer"])]
    if gains:
        rows.append(["geometric mean"] + [""] * (len(peers) + 1) + [f"**{times(geometric_mean(gains))}**"] + [""] * 4)
    return table(head, rows) + notes(result)


def notes(result):
    """What a reader must know before believing the table."""
    said = []
    for name, e in result.items():
        said += [f"{name}: {NAMES.get(peer, peer)} did not take part: {reason}" for peer, reason in e["skipped"].items()]
        wide = [f"{NAMES[peer]} {percent(e['spread'][peer])}" for peer in ("fathom", e["best_peer"]) if e["spread"].get(peer, 0) > 0.25]
        if wide:
            said.append(f"{name}: the rounds scatter ({', '.join(wide)} of the median): do not trust its figures.")
        if e["rounds"] < 5:
            said.append(f"{name}: {e['rounds']} rounds only.")
        if (e["idle_share"] or 0) > 0.02:
            said.append(f"{name}: waiting peers took {percent(e['idle_share'])} of a core.")
    return "".join(f"\n- {line}" for line in said) + "\n" * bool(said)


# MARK: Products


def product_rows(own):
    """One row for each shape and orientation: microseconds of each peer by round, its best way of storing counted."""
    problems = list(dict.fromkeys((line["shape"], line["orientation"]) for line in own if "orientation" in line))
    for shape, orientation in problems:
        def fastest(line):
            ways = {way: us for way, us in line.get("microseconds", {}).items() if way != "transposing"}
            return min(ways.values(), default=None)

        us = rounds(own, fastest, shape=shape, orientation=orientation)
        transposing = rounds(own, lambda line: line["microseconds"].get("transposing"), shape=shape, orientation=orientation)
        yield shape, orientation, us, transposing.get("fathom")


def products(lines):
    result = {}
    for threads, own in chosen(lines, "products", "threads").items():
        peaks = [line["peak_gflops"] for line in own if "peak_gflops" in line]
        rows, kept, paid, peers = [], [], [], {}
        for shape, orientation, us, transposing in product_rows(own):
            r, i, o = map(int, shape.split())
            flops = 2 * r * i * o
            rival = best(us, [peer for peer in us if peer != "fathom"])
            row = {"shape": [r, i, o], "orientation": orientation, "gflops": {peer: flops / figure(v) * 1e-3 for peer, v in us.items()}, "best_peer": rival}
            if "fathom" in us and rival:
                row["ratio"] = ratio(us[rival], us["fathom"])
                row["of_peak"] = row["gflops"]["fathom"] / median(peaks)
                row["ratio_transposing"] = ratio(us[rival], transposing) if transposing else row["ratio"]
                kept.append(row["ratio"])
                paid.append(row["ratio_transposing"])
                for peer in us:
                    peers.setdefault(peer, []).append(ratio(us[rival], us[peer]))
            rows.append(row)
        large = [row["of_peak"] for row in rows if "of_peak" in row and 2 * math.prod(row["shape"]) >= 1e7]
        result[threads] = {
            "rows": rows, "peak_gflops": median(peaks) if peaks else None, "skipped": skipped(own), "session": own[0]["session"],
            "errors": max((line["error"] for line in own if "error" in line), default=None),
            "geometric_mean": geometric_mean(kept) if kept else None, "lowest": min(kept, default=None),
            "geometric_mean_transposing": geometric_mean(paid) if paid else None,
            "of_peak_above_10_mflop": median(large) if large else None,
            "peers": {peer: geometric_mean(values) for peer, values in peers.items()},
        }
    return result


def products_tables(result):
    text = ""
    for threads, e in result.items():
        head = ["rows × inputs × outputs"] + [f"{o} {w}" for o in ("forward", "dgrad", "wgrad") for w in ("Fathom", "best peer", "ratio")]
        rows = {}
        for row in e["rows"]:
            rival = row["best_peer"]
            cells = [number(row["gflops"].get("fathom")), f"{number(row['gflops'][rival])} {NAMES[rival]}" if rival else "–", times(row.get("ratio"))]
            rows.setdefault(" × ".join(map(str, row["shape"])), []).extend(cells)
        text += f"\n### On {threads} thread{'s' * (threads > 1)}, GFLOP/s (FMA peak of the run: {number(e['peak_gflops'])})\n\n"
        text += table(head, [[shape] + cells for shape, cells in rows.items()])
        if e["geometric_mean"]:
            text += (
                f"\nFathom ÷ the row's best peer: geometric mean {times(e['geometric_mean'])}, lowest row {times(e['lowest'])}; with W as a "
                f"step has it, which dgrad turns itself, {times(e['geometric_mean_transposing'])}. Above 10 MFLOP a row's median is {percent(e['of_peak_above_10_mflop'])} of the peak.\n"
                "Each library ÷ the row's best peer, geometric mean: "
                + ", ".join(f"{NAMES[p]} {v:.2f}" for p, v in sorted(e["peers"].items(), key=lambda pair: -pair[1])) + ".\n")
        for peer, reason in e["skipped"].items():
            text += f"\n- {NAMES.get(peer, peer)} did not take part: {reason}\n"
    return text


# MARK: Whole processes, a busy core, and instruments


def processes(lines):
    result = {}
    for name, own in chosen(lines, "processes", "workload").items():
        entry = {"length": next((line["length"] for line in own if "length" in line), ""), "skipped": skipped(own), "session": own[0]["session"]}
        for key in ("seconds", "cpu_seconds", "peak_mib"):
            values = rounds(own, lambda line: line.get(key))
            entry[key] = {peer: figure(v) for peer, v in values.items()}
            entry[f"{key}_ratio"] = {peer: ratio(v, values["fathom"]) for peer, v in values.items()} if "fathom" in values else {}
        entry["accuracy"] = {line["peer"]: line["accuracy"] for line in own if line.get("accuracy") is not None}
        result[name] = entry
    return result


def processes_table(result):
    rows = []
    for name, e in result.items():
        for peer in e["seconds"]:
            rows.append([
                f"{name}, {e['length'].lstrip('-')}", NAMES[peer], number(e["seconds"][peer]), times(e["seconds_ratio"].get(peer)), number(e["cpu_seconds"][peer]),
                number(e["peak_mib"][peer]), times(e["peak_mib_ratio"].get(peer)), number(e["accuracy"].get(peer))])
    head = ["training on Fashion-MNIST", "", "seconds", "÷ Fathom", "processor seconds", "peak MiB", "÷ Fathom", "test accuracy, %"]
    return table(head, rows)


def busy(lines):
    result = {}
    for name, own in chosen(lines, "busy", "workload").items():
        quiet, loaded = (rounds(own, lambda line: line.get("ms"), cores=cores) for cores in ("quiet", "one busy"))
        entry = {"quiet": {p: figure(v) for p, v in quiet.items()}, "busy": {p: figure(v) for p, v in loaded.items()}, "skipped": skipped(own)}
        if "fathom" in loaded and "fathom-1" in quiet:
            entry["busy_over_one_quiet_thread"] = ratio(loaded["fathom"], quiet["fathom-1"])
        result[name] = entry | {"session": own[0]["session"]}
    return result


def busy_table(result):
    peers = list(dict.fromkeys(peer for e in result.values() for peer in e["quiet"]))
    rows = []
    for name, e in result.items():
        cells = [f"{number(e['quiet'].get(p))} → {number(e['busy'].get(p))}" for p in peers]
        rows.append([name] + cells + [times(e.get("busy_over_one_quiet_thread"))])
    return table(["ms per step, quiet → one core busy"] + [NAMES[p] for p in peers] + ["Fathom busy ÷ its quiet 1 thread"], rows)


def instruments(lines):
    result = {}
    for name, own in chosen(lines, "instruments", "workload").items():
        turns = [line for line in own if "seconds" in line]
        if turns:
            result[name] = slices.cost([line["seconds"] for line in turns]) | {"length": turns[0]["length"], "turns": len(turns), "session": own[0]["session"]}
    return result


def instruments_table(result):
    rows = [
        [f"{name}, {' '.join(e['length'].split()[:2]).lstrip('-')}", str(e["turns"]), number(e["seconds"]), slices.signed(e["cost"]), slices.signed(e["noise"])] for name, e in result.items()
    ]
    return table(["whole training", "turns", "seconds without", "instruments cost", "two without differ by"], rows)


def same_work(lines):
    """The largest relative difference of losses from ours, by peer and workload; the last check of each."""
    found = {}
    for line in lines:
        if line.get("part") == "check" and "difference" in line:
            found.setdefault(line["workload"], {})[line["peer"]] = line["difference"]
    return found


# MARK: Text


def number(value):
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}".rstrip(".")


def times(value):
    return "–" if value is None else f"{value:.2f}×"


def percent(value):
    return "–" if value is None else f"{100 * value:.0f} %"


def table(head, rows):
    lines = [head, ["---"] * len(head)] + rows
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def provenance(sessions):
    """Machine, versions and command of each session that figures are from."""
    lines = []
    for s in sessions:
        versions = ", ".join(f"{package} {version}" for package, version in s["versions"].items())
        lines.append(f"- `{s['command']}`: {s['date']}, commit {s['commit']}, {s['processor']}, {s['cores']} cores, {s['threads']} threads, {s['system']}; {versions}\n")
    return "".join(dict.fromkeys(lines))


def main(folder):
    lines = record.read(folder)
    sessions = {line["session"]: line for line in lines if line.get("event") == "session"}
    lines = [line for line in lines if line.get("event") != "session"]
    result = {"steps": steps(lines), "products": products(lines), "processes": processes(lines), "busy": busy(lines)}
    result |= {"instruments": instruments(lines), "same_work": same_work(lines)}
    if not any(result.values()):
        sys.exit(f"there is nothing in {folder}/{record.NAME} yet; 'Benchmarks/run steps' measures")
    text = "# Measured side by side\n\nHow, and how far to trust it: Benchmarks/README.md. Bold: the best peer.\n"
    if result["steps"]:
        text += "\n## Training steps\n\n" + steps_table(result["steps"]) + "\n![ms per step of each workload](steps.svg)\n"
        plot.steps(result["steps"], [*STEP_PEERS, "fathom"], NAMES, folder)
    if result["products"]:
        text += "\n## Matrix products\n" + products_tables(result["products"])
    if result["processes"]:
        text += "\n## Whole processes\n\n" + processes_table(result["processes"])
    if result["busy"]:
        text += "\n## Beside a busy core\n\n" + busy_table(result["busy"])
    if result["instruments"]:
        text += "\n## What instruments cost\n\n" + instruments_table(result["instruments"])
    if result["same_work"]:
        worst = max(value for peers in result["same_work"].values() for value in peers.values())
        text += f"\n## The same work\n\nLosses of 16 steps from one start, in {', '.join(sorted(result['same_work']))}: every peer's within {worst:.1e} (relative) of Fathom's.\n"
    used = {e["session"] for part in ("steps", "products", "processes", "busy", "instruments") for e in result[part].values()}
    used = [sessions[name] for name in sorted(used) if name in sessions]
    text += "\n## Where\n\n" + provenance(used) if used else ""
    for name, content in (("report.md", text), ("report.json", json.dumps({"sessions": used} | result, indent=1) + "\n")):
        with open(f"{folder}/{name}", "w") as file:
            file.write(content)
    print(text)


if __name__ == "__main__":
    main(sys.argv[1])
