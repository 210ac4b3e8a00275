"""The PyTorch twin of a Fathom network: an nn.Sequential built from the notation in model.safetensors, and an optimizer from its notation."""
import json
import re

import safetensors
import safetensors.torch
import torch
from torch import nn

ACTIVATIONS = {
    "identity": lambda: nn.Identity(),
    "relu": lambda: nn.ReLU(),
    "leakyrelu": lambda slope=0.01: nn.LeakyReLU(float(slope)),
    "elu": lambda alpha=1: nn.ELU(float(alpha)),
    "selu": lambda: nn.SELU(),
    "gelu": lambda form="erf": nn.GELU("tanh" if form == "tanh" else "none"),
    "silu": lambda: nn.SiLU(),
    "tanh": lambda: nn.Tanh(),
    "sigmoid": lambda: nn.Sigmoid(),
    "softplus": lambda: nn.Softplus(threshold=1e9),  # PyTorch's is linear from 20 on, unless told otherwise
    "hardtanh": lambda: nn.Hardtanh(),
}


def terms(notation):
    """The terms of a notation in order, groups repeated and flattened: a list of (name, positional arguments, labelled arguments)."""
    tokens = re.findall(r"[\[\]*(),:]|[^\s\[\]*(),:]+", notation)

    def sequence():
        found = []
        while tokens and tokens[0] != "]":
            name = tokens.pop(0)
            if name == "[":
                part = sequence()
                tokens.pop(0)
            else:
                part = [(name, *arguments())]
            if tokens[:1] == ["*"]:
                tokens.pop(0)
                part = part * int(tokens.pop(0))
            found += part
        return found

    def arguments():
        plain, labelled = [], {}
        if tokens[:1] != ["("]:
            return plain, labelled
        while tokens.pop(0) != ")":
            value = tokens.pop(0)
            if tokens[0] == ":":
                tokens.pop(0)
                labelled[value] = tokens.pop(0)
                arguments()  # those of a value such as orthogonal(1.05), which the twin has no use for
            else:
                plain.append(value)
        return plain, labelled

    return sequence()


def sequential(notation, inputs):
    layers = []
    for name, plain, labelled in terms(notation):
        if name == "linear":
            outputs = int(plain[0])
            layers.append(nn.Linear(inputs, outputs, bias=labelled.get("bias") != "false"))
            inputs = outputs
        else:
            layers.append(ACTIVATIONS[name](*plain))
    return nn.Sequential(*layers)


class Twin:
    """A model file as PyTorch sees it: `network`, `standardize`, `classes`."""

    def __init__(self, path):
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata()
        self.details = json.loads(metadata["details"])
        self.classes = self.details["classes"]
        self.network = sequential(metadata["network"], int(metadata["inputs"]))
        self.network.load_state_dict(safetensors.torch.load_file(path))

    def standardize(self, rows):
        """(x − mean)/deviation, as the metadata say."""
        s = self.details["inputStandardization"]
        return (rows - torch.tensor(s["mean"])) / torch.tensor(s["deviation"])


def optimizer(notation, network):
    """sgd, adam or adamw; decay is decoupled and spares the biases."""
    ((name, plain, labelled),) = terms(notation)
    rate, options = float(plain[0]), {key: float(value) for key, value in labelled.items() if key not in ("decay", "nesterov")}
    if name == "sgd":
        return torch.optim.SGD(network.parameters(), rate, nesterov=labelled.get("nesterov") == "true", **options)
    if name == "adam":
        return torch.optim.Adam(network.parameters(), rate)
    weights = [p for key, p in network.named_parameters() if key.endswith("weight")]
    biases = [p for key, p in network.named_parameters() if key.endswith("bias")]
    decay = float(labelled.get("decay", 0.01))
    return torch.optim.AdamW([{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0}], rate)
