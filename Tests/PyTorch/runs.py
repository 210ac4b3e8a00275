"""The same training twice: by the program `fathom`, and by the PyTorch twin of its first model."""
import csv
import gzip
import json
import math
import subprocess
import sys
import tempfile

import numpy
import torch
from twin import Optimizer, Twin, loss


class Data:
    """Rows and targets as tensors, and the path that the program reads them from. Targets are classes (int64) or numbers, a row to each row."""

    def __init__(self, path, rows, targets):
        self.path, self.rows, self.targets = path, torch.as_tensor(rows), torch.as_tensor(targets)


def random_data(folder, rows, inputs, classes=0, outputs=0, steps=1, seed=0):
    """Standard normal rows with `classes` random classes or `outputs` normal numbers, for each of `steps` steps, in an .npz."""
    random = numpy.random.default_rng(seed)
    x = random.standard_normal((rows, inputs), dtype=numpy.float32)
    if classes:
        y = random.permutation(numpy.arange(rows * steps) % classes).reshape(rows, steps)
    else:
        y = random.standard_normal((rows, steps * outputs), dtype=numpy.float32)
    path = f"{folder}/random-{rows}-{inputs}-{classes}-{outputs}-{steps}.npz"
    numpy.savez(path, x=x, y=y[:, 0] if y.shape[1] == 1 else y)
    return Data(path, x, y[:, 0] if classes and steps == 1 else y.reshape(rows, steps, -1) if steps > 1 and outputs else y)


def idx(path):
    """An IDX file of bytes, gzipped, as an array."""
    with gzip.open(path) as file:
        content = file.read()
    dimensions = content[3]
    shape = numpy.frombuffer(content, ">u4", dimensions, 4)
    return numpy.frombuffer(content, numpy.uint8, offset=4 + 4 * dimensions).reshape(shape)


def fashion_mnist(folder, split):
    images, labels = (idx(f"{folder}/{split}-{what}-ubyte.gz") for what in ("images-idx3", "labels-idx1"))
    return Data(folder, images.reshape(-1, 784).astype(numpy.float32), labels.astype(numpy.int64))


class Program:
    """`fathom`, run in a folder of its own."""

    def __init__(self, path, folder):
        self.path, self.folder = path, folder

    def __call__(self, *arguments):
        done = subprocess.run([self.path, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            print(f"FAILED  {' '.join(map(str, [self.path, *arguments]))}: {done.stderr.strip()}")
            sys.exit(1)
        return done.stdout

    def train(self, data, steps, **settings):
        """Trains, and gives the folder and the events of the steps."""
        run = tempfile.mkdtemp(dir=self.folder)
        flags = [part for key, value in settings.items() for part in (f"--{key}", value)]
        out = self("train", "--data", data.path, "--output", run, "--steps", steps, "--json", "--quiet", *flags)
        events = [json.loads(line) for line in out.splitlines()]
        return run, [event for event in events if event["event"] == "step"]

    def predict(self, run, path, *flags):
        """The columns that `predict` writes, as lists, by name."""
        self("predict", run, "--data", path, "--output", f"{run}/predictions.csv", *flags)
        with open(f"{run}/predictions.csv", newline="") as file:
            rows = list(csv.reader(file))
        return {name: column for name, *column in zip(*rows)}


def twin_losses(model, data, notation, optimizer, steps, batch, clip=math.inf, dtype=torch.float32, nudge=0):
    """Trains the twin of a model file on the batches in order, and gives the loss of each step in the targets' own units. `nudge` scales the weights by 1 + nudge first."""
    twin = Twin(model)
    network = twin.network.to(dtype).train()
    with torch.no_grad():
        for p in network.parameters():
            p *= 1 + nudge
    update, (value, slope) = Optimizer(optimizer, network), loss(notation, twin.standardization("target")[1].to(dtype))
    losses = []
    for step in range(steps):
        first = step * batch % len(data.rows)
        x, t = twin.standardize(data.rows[first:first + batch]).to(dtype), data.targets[first:first + batch]
        if t.is_floating_point():
            mean, deviation = twin.standardization("target")
            t = ((t - mean) / deviation).to(dtype)
        y = network(x)
        slope(y, t).backward()
        update.step(clip)
        losses.append(value(y.detach(), t).item())
    return losses


def differences(ours, theirs):
    """Relative, step by step."""
    return [abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True)]
