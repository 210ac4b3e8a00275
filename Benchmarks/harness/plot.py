"""The plot of steps: a group of bars for each workload, on a logarithmic scale, as SVG and PNG."""
import matplotlib

matplotlib.use("Agg")
matplotlib.rcParams |= {"svg.hashsalt": "fathom", "font.family": "DejaVu Sans", "font.size": 9}
import matplotlib.pyplot as pyplot  # noqa: E402

# Okabe & Ito's palette, which most colour-blind readers tell apart; neighbours differ in lightness too.
COLOURS = {
    "pytorch": "#56B4E9", "pytorch-compiled": "#0072B2", "jax": "#F0E442", "jax-scan": "#E69F00", "tensorflow-xla": "#CC79A7", "fathom": "#222222",
}


def steps(result, peers, names, folder):
    shown = [peer for peer in peers if any(peer in e["milliseconds"] for e in result.values())]
    figure, axes = pyplot.subplots(figsize=(11, 4.6), layout="constrained")
    width = 0.84 / len(shown)
    for position, peer in enumerate(shown):
        places = [n + (position - (len(shown) - 1) / 2) * width for n, e in enumerate(result.values()) if peer in e["milliseconds"]]
        heights = [e["milliseconds"][peer] for e in result.values() if peer in e["milliseconds"]]
        axes.bar(places, heights, width, label=names[peer], color=COLOURS[peer], edgecolor="white", linewidth=0.4)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.4 * min(ms for e in result.values() for ms in e["milliseconds"].values()))
    axes.yaxis.set_major_formatter(lambda ms, _: f"{ms:g}")
    axes.set_ylabel("milliseconds per training step (log scale, less is better)")
    axes.set_xticks(range(len(result)), [label(name, e) for name, e in result.items()])
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel("workload; Fathom's time, and how many times as fast it is as the best peer", labelpad=6)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
    axes.legend(ncols=len(shown), loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    figure.savefig(f"{folder}/steps.svg", metadata={"Date": None, "Title": "Milliseconds per training step"})
    figure.savefig(f"{folder}/steps.png", dpi=160)
    pyplot.close(figure)


def label(name, entry):
    """The workload, its figure, and how far ahead of its best peer it is."""
    ours, ratio = entry["milliseconds"].get("fathom"), entry.get("ratios", {}).get(entry["best_peer"])
    text = name
    if ours is not None:
        text += f"\nFathom {ours:.3g} ms"
    if ratio is not None:
        text += f"\n{ratio:.2f}×"
    return text
