"""A workload as every peer sees it: the recipe, its layers, its batches, its floating-point operations, and the tensors of a model file.

Needs NumPy alone, so that no peer pays for another's framework.
"""
import json
import re
from collections import namedtuple

import numpy as np

BATCHES = 8

# What a network is made of. `name` is the layer's prefix in model files.
Linear = namedtuple("Linear", "name inputs outputs")
Rnn = namedtuple("Rnn", "name inputs outputs steps")
LayerNorm = namedtuple("LayerNorm", "name width")
BatchNorm = namedtuple("BatchNorm", "name width")
Activation = namedtuple("Activation", "function")  # relu, tanh, gelu(tanh)
Residual = namedtuple("Residual", "layers")
Sequence = namedtuple("Sequence", "steps")
Last = namedtuple("Last", "")
Optimizer = namedtuple("Optimizer", "name rate momentum decay")


class Workload:
    """A recipe of workloads/: `name`, `inputs`, `layers`, `outputs`, `loss`, `optimizer`, `batch`, `steps` of a sequence (else 0)."""

    def __init__(self, path):
        text = open(path).read()
        keys = dict(re.findall(r"^(\w+): *(.+)$", text, re.M))
        unknown = set(keys) - {"network", "loss", "optimizer", "clip", "batch"}
        if unknown or keys["clip"] != "norm(1.0)":
            raise ValueError(f"{path}: the peers know nothing of {', '.join(sorted(unknown)) or keys['clip']}")
        self.name = re.search(r"(\w+)\.yaml$", path)[1]
        self.inputs = int(re.search(r"^# inputs: (\d+)$", text, re.M)[1])
        self.loss, self.batch, self.optimizer = keys["loss"], int(keys["batch"]), optimizer(keys["optimizer"])
        self.layers, self.outputs, self.steps = layers(keys["network"], self.inputs)

    def batches(self):
        """BATCHES pairs of standard normal rows and random targets: the same in every process. Numbers have mean 0 and deviation 1 over all
        batches, since `fathom train` brings targets there.
        """
        random, rows = np.random.default_rng(0), BATCHES * self.batch
        shape = (self.steps, self.inputs // self.steps) if self.steps else (self.inputs,)
        x = random.standard_normal((rows, *shape), dtype=np.float32)
        if self.loss == "cross-entropy":
            y = random.integers(0, self.outputs, rows)
        else:
            y = random.standard_normal((rows, self.outputs))
            y = ((y - y.mean(0)) / y.std(0)).astype(np.float32)
        return list(zip(np.split(x, BATCHES), np.split(y, BATCHES)))

    def flops(self):
        """Of the matrix products of a step: forward and weight gradient of every layer, input gradient of all but the first."""
        return 2 * self.batch * products(self.layers, first=True)


def products(layers, first):
    """Multiply-adds of a row."""
    total = 0
    for layer in layers:
        if isinstance(layer, Linear):
            total += layer.inputs * layer.outputs * (2 if first else 3)
        elif isinstance(layer, Rnn):
            total += layer.steps * layer.outputs * (layer.inputs * (2 if first else 3) + 3 * layer.outputs)
        elif isinstance(layer, Residual):
            total += products(layer.layers, first)
        first = first and not isinstance(layer, (Linear, Rnn))
    return total


# MARK: Notation


def optimizer(notation):
    name, rate = re.match(r"(\w+)\(([^,)]+)", notation).groups()
    momentum = re.search(r"momentum: ([\d.]+)", notation)
    return Optimizer(name, float(rate), float(momentum[1]) if momentum else 0.0, 0.01 if name == "adamw" else 0.0)


def layers(notation, inputs):
    """The layers of a network in order, groups repeated and flattened; its outputs; the steps of its sequence."""
    tokens = re.findall(r"\w+\([^)]*\)|\w+|[\[\]*]", notation)

    def terms():
        found = []
        while tokens and tokens[0] != "]":
            token = tokens.pop(0)
            if token in ("[", "residual"):
                if token == "residual":
                    tokens.pop(0)
                inside = terms()
                tokens.pop(0)
                part = [inside] if token == "residual" else inside
            else:
                part = [token]
            if tokens[:1] == ["*"]:
                tokens.pop(0)
                part = part * int(tokens.pop(0))
            found += part
        return found

    steps = 0

    def resolved(terms, width, prefix=""):
        nonlocal steps
        found = []
        for position, term in enumerate(terms):
            name = f"{prefix}{position}"
            if isinstance(term, list):
                inside, width = resolved(term, width, f"{name}.")
                found.append(Residual(inside))
                continue
            kind, _, argument = term.rstrip(")").partition("(")
            if kind == "linear":
                found.append(Linear(name, width, int(argument)))
                width = int(argument)
            elif kind == "rnn":
                outputs, function = argument.split(", ")
                assert function == "tanh", term
                found.append(Rnn(name, width, int(outputs), steps))
                width = int(outputs)
            elif kind == "sequence":
                steps = int(argument)
                width //= steps
                found.append(Sequence(steps))
            elif kind in ("layernorm", "batchnorm"):
                found.append((LayerNorm if kind == "layernorm" else BatchNorm)(name, width))
            elif kind == "last":
                found.append(Last())
            elif term in ("relu", "tanh", "gelu(tanh)"):
                found.append(Activation(term))
            else:
                raise ValueError(f"the peers have no layer '{term}'")
        return found, width

    found, outputs = resolved(terms(), inputs)
    return found, outputs, steps


# MARK: Files


def read_tensors(path):
    """The tensors of a safetensors file by name: 8 bytes of header length, a JSON header, then float32 data."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    header.pop("__metadata__", None)
    assert all(entry["dtype"] == "F32" for entry in header.values()), path
    return {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"]).copy() for name, entry in header.items()
    }


def write_batches(workload, path):
    """All batches one after another as a data set that `fathom train` reads."""
    x, y = (np.concatenate(part) for part in zip(*workload.batches()))
    np.savez(path, x=x.reshape(len(x), -1), y=y[:, 0] if y.shape[1:] == (1,) else y)


if __name__ == "__main__":
    import sys

    write_batches(Workload(sys.argv[1]), sys.argv[2])
