#!/usr/bin/env python3
"""Compares Fathom with PyTorch on Fashion-MNIST, one line for each comparison: ok or FAILED, and the largest difference.

Predictions: a PyTorch twin loads model.safetensors with load_state_dict and must predict the same classes for all 10,000 test images, with the same
logits to 1e-4. Training: from the same start and in the same order, the first 50 losses must agree to a relative 1e-4 for every optimizer.

The network of that comparison is smooth. With relu two programs part, whatever their care, when a unit meets its first input within rounding of the
kink: on one side of it the gradient is zero, and adam makes a full step of whatever is on the other. PyTorch in float32 and in float64 then differ by
1e-3 to 3e-2 before step 50, for most seeds. So relu is compared over the steps for which PyTorch agrees with itself.

Needs torch, safetensors and numpy, and the images as Debian's dataset-fashion-mnist has them. Exits 77, with one sentence, where one is missing.
"""
import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile


def absent(what):
    print(what)
    sys.exit(77)


try:
    import numpy
    import torch
    from twin import Twin, optimizer
except ImportError as error:
    absent(f"{sys.executable} has no {error.name}; FATHOM_PYTHON may name a Python that has torch, safetensors and numpy")

BATCH, TOLERANCE = 128, 1e-4
OPTIMIZERS = ["sgd(0.01)", "sgd(0.01, momentum: 0.9)", "sgd(0.01, momentum: 0.9, nesterov: true)", "adam(0.001)", "adamw(0.001)", "adamw(0.001, decay: 0.5)"]
RELU, TANH = "[linear(512) relu] * 2 linear(10)", "[linear(512) tanh] * 2 linear(10)"
# Every activation once, and a layer without bias.
ACTIVATIONS = (
    "linear(64) relu linear(64, bias: false) leakyrelu(0.1) linear(64) elu linear(64) selu linear(64) gelu linear(64) gelu(tanh) "
    "linear(64) silu linear(64) tanh linear(64) sigmoid linear(64) softplus linear(64) hardtanh linear(64) identity linear(outputs)"
)


def idx(path):
    """An IDX file of bytes, gzipped, as an array."""
    with gzip.open(path) as file:
        content = file.read()
    dimensions = content[3]
    shape = numpy.frombuffer(content, ">u4", dimensions, 4)
    return numpy.frombuffer(content, numpy.uint8, offset=4 + 4 * dimensions).reshape(shape)


class FashionMNIST:
    def __init__(self, folder):
        def rows(name):
            return torch.tensor(idx(f"{folder}/{name}-images-idx3-ubyte.gz").reshape(-1, 784).astype(numpy.float32))

        self.folder = folder
        self.training = rows("train")
        self.labels = torch.tensor(idx(f"{folder}/train-labels-idx1-ubyte.gz").astype(numpy.int64))
        self.test = rows("t10k")


def fathom(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"FAILED  {' '.join([program, *arguments])}: {done.stderr.strip()}")
    return done.stdout


def train(program, data, run, *arguments):
    """Trains, and gives the events."""
    out = fathom(program, "train", "--data", data.folder, "--output", run, "--batch", str(BATCH), "--json", "--quiet", *arguments)
    return [json.loads(line) for line in out.splitlines()]


def report(passed, what):
    print(f"{'ok    ' if passed else 'FAILED'}  {what}", flush=True)
    return passed


def compare_predictions(program, data, network, steps):
    with tempfile.TemporaryDirectory() as folder:
        train(program, data, f"{folder}/run", "--network", network, "--steps", str(steps))
        fathom(program, "predict", f"{folder}/run", "--data", data.folder, "--logits", "--output", f"{folder}/predictions.csv")
        twin = Twin(f"{folder}/run/model.safetensors")
        with open(f"{folder}/predictions.csv", newline="") as file:
            rows = list(csv.DictReader(file))
    with torch.no_grad():
        logits = twin.network(twin.standardize(data.test))
    theirs = [twin.classes[k] for k in logits.argmax(1)]
    ours = torch.tensor([[float(row[f"logit_{name}"]) for name in twin.classes] for row in rows])
    probabilities = torch.tensor([[float(row[f"probability_{name}"]) for name in twin.classes] for row in rows])
    same = sum(row["prediction"] == name for row, name in zip(rows, theirs))
    difference = (ours - logits).abs().max().item()
    probability_difference = (probabilities - logits.softmax(1)).abs().max().item()
    return report(
        len(rows) == 10_000 and same == 10_000 and difference <= TOLERANCE and probability_difference <= TOLERANCE,
        f"{network} after {steps} steps: {same} of {len(rows)} classes the same, logits differ by up to {difference:.1e}, "
        f"probabilities by {probability_difference:.1e}")


def compare_losses(program, data, network, notation, count, clip=1.0):
    with tempfile.TemporaryDirectory() as folder:
        common = ["--network", network, "--optimizer", notation, "--clip", f"norm({clip})", "--shuffle", "false"]
        train(program, data, f"{folder}/start", *common, "--steps", "0")
        events = train(program, data, f"{folder}/run", *common, "--steps", str(count))
        twin = Twin(f"{folder}/start/model.safetensors")
    steps = [event for event in events if event["event"] == "step"]
    clipped = sum(step["clip_coefficient"] < 1 for step in steps)

    model, update = twin.network, optimizer(notation, twin.network)
    rows = twin.standardize(data.training[: count * BATCH])
    losses = []
    for first in range(0, count * BATCH, BATCH):
        batch = slice(first, first + BATCH)
        loss = torch.nn.functional.cross_entropy(model(rows[batch]), data.labels[batch])
        update.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        update.step()
        losses.append(loss.item())
    difference = max(abs(step["loss"] - loss) / abs(loss) for step, loss in zip(steps, losses))
    return report(
        len(steps) == count and clipped > 0 and difference <= TOLERANCE,
        f"{network}, {notation}: first {len(steps)} losses ({losses[0]:.3f} … {losses[-1]:.3f}), clipped to {clip} in {clipped} of them: "
        f"relative difference up to {difference:.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fathom", default="fathom", help="the program to compare (default: the one on the PATH)")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist", help="the folder with the images")
    options = parser.parse_args()
    if not os.path.exists(f"{options.data}/train-images-idx3-ubyte.gz"):
        absent(f"no Fashion-MNIST in {options.data}; apt-get install dataset-fashion-mnist, or --data FOLDER")
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)
    data = FashionMNIST(options.data)
    program = options.fathom
    passed = [compare_predictions(program, data, RELU, 2 * 469), compare_predictions(program, data, ACTIVATIONS, 200)]
    passed += [compare_losses(program, data, TANH, notation, 50) for notation in OPTIMIZERS]
    passed += [compare_losses(program, data, RELU, "sgd(0.01, momentum: 0.9)", 50), compare_losses(program, data, RELU, "adamw(0.001)", 20)]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
