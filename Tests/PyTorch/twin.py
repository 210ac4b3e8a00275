"""The PyTorch twin of a Fathom network: an nn.Sequential built from the notation in model.safetensors, with losses and optimizers from theirs.

Modules are PyTorch's own wherever it has them, under the same names: a model file is a state_dict of its twin.
"""
import json
import math
import re
from functools import partial

import safetensors
import safetensors.torch
import torch
from torch import nn
from torch.nn import functional

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


# MARK: Notation


class Term:
    """`name(plain, label: labelled)[inside]`; a labelled argument that has arguments of its own is kept as text, those without a label alone."""

    def __init__(self, name, plain, labelled, inside):
        self.name, self.plain, self.labelled, self.inside = name, plain, labelled, inside

    def number(self, label, default):
        return float(self.labelled.get(label, default))

    def says(self, label, default=True):
        return self.labelled.get(label, str(default).lower()) == "true"


def terms(notation):
    """The terms of a notation in order, groups repeated and flattened."""
    tokens = re.findall(r"[\[\]*(),:]|[^\s\[\]*(),:]+", notation)

    def group():
        tokens.pop(0)
        found = sequence()
        tokens.pop(0)
        return found

    def sequence():
        found = []
        while tokens and tokens[0] != "]":
            if tokens[0] == "[":
                part = group()
            else:
                name = tokens.pop(0)
                part = [Term(name, *arguments(), group() if name == "residual" else [])]
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
                inner, _ = arguments()
                if inner:
                    labelled[value] += f"({', '.join(inner)})"
            else:
                plain.append(value)
        return plain, labelled

    return sequence()


# MARK: Layers that nn.Sequential lacks


class Sequence(nn.Module):
    """[rows, steps·columns] to [rows, steps, columns]."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def forward(self, x):
        return x.reshape(len(x), self.steps, -1)


class Last(nn.Module):
    def forward(self, x):
        return x[:, -1]


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(1)


class BatchNorm(nn.BatchNorm1d):
    """Of a sequence too: statistics over rows and steps."""

    def forward(self, x):
        return super().forward(x.reshape(-1, x.shape[-1])).reshape(x.shape)


class Residual(nn.Module):
    def __init__(self, layers, projection, scale):
        super().__init__()
        for position, layer in enumerate(layers):
            self.add_module(str(position), layer)
        self.layers, self.projection, self.scale = range(len(layers)), projection, scale

    def forward(self, x):
        branch = x
        for position in self.layers:
            branch = self.get_submodule(str(position))(branch)
        return (x if self.projection is None else self.projection(x)) + self.scale * branch


def recurrent(kind):
    """PyTorch's own RNN, LSTM or GRU, giving every step's state alone; the gradient stops where a stretch of `truncate` steps begins."""

    class Recurrent(kind):
        def __init__(self, inputs, term, **options):
            super().__init__(inputs, int(term.plain[0]), bias=term.says("bias"), batch_first=True, **options)
            self.stretch = int(term.number("truncate", 1e9))

        def forward(self, x):
            outputs, state = [], None
            for part in x.split(self.stretch, 1):
                output, state = super().forward(part, state)
                state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
                outputs.append(output)
            return torch.cat(outputs, 1)

    return Recurrent


class LinearRNN(recurrent(nn.RNN)):
    """rnn(n, identity), which PyTorch has not: the parameters are those of its RNN."""

    def forward(self, x):
        h, outputs = x.new_zeros(len(x), self.hidden_size), []
        for t in range(x.shape[1]):
            if t % self.stretch == 0:
                h = h.detach()
            biases = (self.bias_ih_l0, self.bias_hh_l0) if self.bias else (None, None)
            h = functional.linear(x[:, t], self.weight_ih_l0, biases[0]) + functional.linear(h, self.weight_hh_l0, biases[1])
            outputs.append(h)
        return torch.stack(outputs, 1)


# MARK: The network


def normalization(term, width):
    if term.name == "rmsnorm":
        return nn.RMSNorm(width, eps=term.number("epsilon", 1e-6), elementwise_affine=term.says("gain"))
    if term.name == "layernorm":
        layer = nn.LayerNorm(width, eps=term.number("epsilon", 1e-5))
    else:
        layer = BatchNorm(width, eps=term.number("epsilon", 1e-5), momentum=term.number("momentum", 0.1))
    # PyTorch has no argument for a bias without a gain.
    if not term.says("gain"):
        layer.weight = None
    if not term.says("bias"):
        layer.bias = None
    return layer


def residual(term, width, depth):
    layers, outputs = modules(term.inside, width, depth)
    scale = term.labelled.get("scale", "1")
    if term.plain:  # rezero or skipinit
        scale = nn.Parameter(torch.zeros(1))
    else:
        scale = 1 / math.sqrt(depth) if scale == "1/sqrt(depth)" else float(scale)
    projection = None if outputs == width else nn.Linear(width, outputs, bias=False)
    return Residual(layers, projection, scale), outputs


def modules(found, width, depth):
    """The modules of terms, for a width in, and the width out; depth is the number of residual blocks that are inside no other."""
    layers = []
    for term in found:
        if term.name == "linear":
            layers.append(nn.Linear(width, int(term.plain[0]), bias=term.says("bias")))
            width = int(term.plain[0])
        elif term.name == "residual":
            layer, width = residual(term, width, depth)
            layers.append(layer)
        elif term.name in ("layernorm", "rmsnorm", "batchnorm"):
            layers.append(normalization(term, width))
        elif term.name == "dropout":
            layers.append(nn.Dropout(float(term.plain[0])))
        elif term.name == "sequence":
            layers.append(Sequence(int(term.plain[0])))
            width //= int(term.plain[0])
        elif term.name in ("last", "mean"):
            layers.append(Last() if term.name == "last" else Mean())
        elif term.name in ("lstm", "gru"):
            layers.append(recurrent(getattr(nn, term.name.upper()))(width, term))
            width = int(term.plain[0])
        elif term.name == "rnn":
            function = (term.plain + ["tanh"])[1]
            layers.append(LinearRNN(width, term) if function == "identity" else recurrent(nn.RNN)(width, term, nonlinearity=function))
            width = int(term.plain[0])
        else:
            layers.append(ACTIVATIONS[term.name](*term.plain))
    return layers, width


def sequential(notation, inputs):
    found = terms(notation)
    layers, _ = modules(found, inputs, sum(term.name == "residual" for term in found))
    return nn.Sequential(*layers)


class Twin:
    """A model file as PyTorch sees it: `network`, `standardize`, `classes`."""

    def __init__(self, path):
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata()
        self.details = json.loads(metadata["details"])
        self.classes = self.details.get("classes")
        self.network = sequential(metadata["network"], int(metadata["inputs"]))
        self.network.load_state_dict(safetensors.torch.load_file(path))
        self.network.eval()

    def standardize(self, rows):
        """(x − mean)/deviation, as the metadata say."""
        mean, deviation = self.standardization("input")
        return (rows - mean) / deviation

    def standardization(self, side):
        """Mean and deviation of the features ("input") or of the targets ("target")."""
        s = self.details.get(f"{side}Standardization") or {"mean": [0.0], "deviation": [1.0]}
        return torch.tensor(s["mean"]), torch.tensor(s["deviation"])


# MARK: Losses and optimizers


def loss(notation, deviation=torch.ones(1)):
    """Two functions of outputs and targets, both means over rows, steps and, but for cross-entropy, columns: the loss in the targets' own units, and the
    one whose gradient is followed, which for standardized numbers leaves their deviation out.
    """
    (term,) = terms(notation)

    def of_numbers(function, power):
        def value(y, t):
            return function(y * deviation, t * deviation, reduction="none").mean()

        def slope(y, t):
            return (function(y * deviation, t * deviation, reduction="none") / deviation**power).mean()

        return value, slope

    if term.name == "mse":
        return of_numbers(functional.mse_loss, 2)
    if term.name == "mean-absolute-error":
        return of_numbers(functional.l1_loss, 1)
    if term.name == "huber":
        return of_numbers(partial(functional.huber_loss, delta=float((term.plain + [1])[0])), 2)
    if term.name == "binary-cross-entropy":
        return (functional.binary_cross_entropy_with_logits,) * 2
    smoothing, weights = term.number("smoothing", 0), None
    if "weights" in term.labelled:
        weights = torch.tensor([float(w) for w in terms(term.labelled["weights"])[0].plain])

    def cross_entropy(y, t):
        # PyTorch's own mean divides by the sum of the rows' weights, ours by the number of rows.
        w = None if weights is None else weights.to(y)
        return functional.cross_entropy(y.flatten(0, -2), t.flatten(), w, label_smoothing=smoothing, reduction="none").mean()

    return cross_entropy, cross_entropy


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, algorithm 2, without the decay."""

    def __init__(self, parameters, lr, betas):
        super().__init__(parameters, dict(lr=lr, betas=betas))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            first, second = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                p -= group["lr"] * torch.sign(first * m + (1 - first) * p.grad)
                m.mul_(second).add_(p.grad, alpha=1 - second)


class Optimizer:
    """Any of Fathom's. Decay is decoupled and touches matrices alone: no bias, gain or scale."""

    def __init__(self, notation, network):
        (term,) = terms(notation)
        parameters = list(network.parameters())
        rate = float(term.plain[0])
        betas = term.number("beta1", 0.9), term.number("beta2", 0.99 if term.name == "lion" else 0.999)
        epsilon, momentum = term.number("epsilon", 1e-8), term.number("momentum", 0)
        self.matrices, self.decay = [p for p in parameters if p.dim() > 1], rate * term.number("decay", 0.01 if term.name == "adamw" else 0)
        self.parameters = parameters
        if term.name == "sgd":
            self.inner = torch.optim.SGD(parameters, rate, momentum=momentum, nesterov=term.says("nesterov", False))
        elif term.name == "rmsprop":
            self.inner = torch.optim.RMSprop(parameters, rate, alpha=term.number("rho", 0.99), eps=epsilon, momentum=momentum)
        elif term.name == "lion":
            self.inner = Lion(parameters, rate, betas)
        else:
            self.inner = torch.optim.Adam(parameters, rate, betas, epsilon)

    def step(self, largest_norm=math.inf):
        """Clips the gradients to a global norm, then moves the parameters; gives the norm before clipping."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = torch.stack([g.double().square().sum() for g in gradients]).sum().sqrt().item()
        with torch.no_grad():
            if norm > largest_norm:
                for g in gradients:
                    g.mul_(largest_norm / norm)
            if self.decay:
                for p in self.matrices:
                    p.mul_(1 - self.decay)
        self.inner.step()
        self.inner.zero_grad()
        return norm
