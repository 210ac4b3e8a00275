#!/usr/bin/env python3
"""Compares Fathom with PyTorch, one line for each comparison: ok or FAILED, and the largest difference.

predictions  A PyTorch twin loads model.safetensors with load_state_dict and predicts the same: on Fashion-MNIST every class of 10,000, and the logits
             to 1e-4; small networks of all layers to 1e-5.
recurrent    The tensors of a recurrent layer load into torch.nn.RNN, LSTM or GRU, and the states of every step agree to 1e-5.
optimizers   From the same start and in the same order, 50 losses of each optimizer agree to a relative 1e-4; so do those of every loss.
workloads    The workloads of Tests/workloads, every batch clipped to a norm of 1: losses agree to a relative 5e-4. A few steps each, with --full 100.

Two programs part, whatever their care, where the dynamics multiply what rounding leaves: with relu when a unit meets its first input within rounding of
the kink (on one side of it the gradient is zero, and adam makes a full step of whatever is on the other). Where the losses of a workload or of rmsprop
differ by more, PyTorch is held against itself: in float64, and with its weights scaled by 1 ± 1e-7 … 4e-7. Up to each step Fathom may
differ from PyTorch by CHAOS times as much as PyTorch from itself. The networks for optimizers are smooth.

Needs torch, safetensors and numpy, and the images as Debian's dataset-fashion-mnist has them. Exits 77, with one sentence, where one is missing.
"""
import argparse
import math
import os
import sys
import tempfile
import time
from itertools import accumulate


def absent(what):
    print(what)
    sys.exit(77)


try:
    import torch
    from runs import Program, differences, fashion_mnist, random_data, twin_losses
    from twin import Twin
except ImportError as error:
    absent(f"{sys.executable} has no {error.name}; FATHOM_PYTHON may name a Python that has torch, safetensors and numpy")

CHAOS = 3
# Another precision; weights moved by one unit in the last place or a few.
VARIANTS = [dict(dtype=torch.float64)] + [dict(nudge=sign * k * 1e-7) for k in range(1, 5) for sign in (1, -1)]
RELU, TANH = "[linear(512) relu] * 2 linear(10)", "[linear(512) tanh] * 2 linear(10)"
# Every activation once, and a layer without bias.
ACTIVATIONS = (
    "linear(64) relu linear(64, bias: false) leakyrelu(0.1) linear(64) elu linear(64) selu linear(64) gelu linear(64) gelu(tanh) "
    "linear(64) silu linear(64) tanh linear(64) sigmoid linear(64) softplus linear(64) hardtanh linear(64) identity linear(outputs)"
)
LAYERS = [
    "[linear(40) layernorm relu] * 2 linear(outputs)",
    "layernorm(epsilon: 0.01) linear(40) layernorm(gain: false) tanh linear(20) layernorm(bias: false) linear(outputs)",
    "[linear(40) rmsnorm silu] * 2 linear(outputs) rmsnorm",
    "[linear(40) batchnorm relu] * 3 linear(outputs)",
    "batchnorm(momentum: 0.3) linear(40, bias: false) batchnorm(gain: false, epsilon: 0.001) gelu linear(outputs)",
    "[linear(40) relu dropout(0.2)] * 2 linear(outputs)",
    "linear(20) residual[layernorm linear(40) relu linear(20)] * 3 layernorm linear(outputs)",
    "linear(20) [residual(scale: 0.5)[linear(40) tanh linear(20)] layernorm] * 2 linear(outputs)",
    "linear(20) residual(scale: 1/sqrt(depth))[batchnorm relu linear(20)] * 4 linear(outputs)",
    "linear(20) residual(rezero)[linear(40) gelu linear(20)] * 2 linear(outputs)",
    "linear(20) residual(skipinit, start: 0.3)[linear(40) gelu linear(20)] * 2 linear(outputs)",
    "residual[linear(20) tanh residual(rezero)[linear(40) relu linear(20)]] residual(scale: 0.7)[linear(30)] linear(outputs)",
    "sequence(6) rnn(20, tanh) last linear(outputs)", "sequence(6) rnn(20, relu) mean linear(outputs)", "sequence(6) rnn(20, identity) last linear(outputs)",
    "sequence(6) lstm(20) last linear(outputs)", "sequence(6) lstm(20, bias: false) lstm(17) mean linear(outputs)",
    "sequence(6) gru(20) last linear(outputs)", "sequence(6) linear(18) gru(20, truncate: 2) residual[layernorm gru(20)] last layernorm linear(outputs)",
]
OPTIMIZERS = [
    "sgd(0.01)", "sgd(0.01, momentum: 0.9)", "sgd(0.01, momentum: 0.9, nesterov: true)", "sgd(0.01, decay: 0.5)", "adam(0.001)", "adamw(0.001)",
    "adamw(0.001, decay: 0.5)", "rmsprop(0.001)", "rmsprop(0.001, momentum: 0.9)", "lion(0.0001, decay: 0.5)",
]
CLASS_LOSSES = ["cross-entropy", "cross-entropy(smoothing: 0.1)", "cross-entropy(smoothing: 0.2, weights: classes(0.5, 2, 1, 1, 0))"]
NUMBER_LOSSES = ["mse", "mean-absolute-error", "huber(0.5)"]
# Every layer that learns, smooth throughout: losses from the same start show its gradient.
SMOOTH = [
    "[linear(40) layernorm tanh] * 2 linear(outputs)", "[linear(40) rmsnorm silu] * 2 linear(outputs)", "[linear(40) batchnorm gelu] * 2 linear(outputs)",
    "residual[linear(20) tanh] residual(rezero)[linear(40) gelu linear(20)] * 2 residual(scale: 1/sqrt(depth))[layernorm linear(20)] linear(outputs)",
    "sequence(6) rnn(20, tanh) lstm(20) gru(20) mean linear(outputs)", "sequence(6) lstm(20, truncate: 2) gru(17, truncate: 3) last linear(outputs)",
]
# Steps of the short form, so that each workload takes seconds.
STEPS = {"W1": 40, "W2": 20, "W3": 4, "W4": 4, "W5": 100, "W6": 60, "W7": 20, "W8": 20}


def report(passed, what):
    print(f"{'ok    ' if passed else 'FAILED'}  {what}", flush=True)
    return passed


def compare_predictions(program, data, test, network, steps):
    """On Fashion-MNIST, after a training of `steps` steps."""
    run, _ = program.train(data, steps, network=network)
    columns, twin = program.predict(run, data.path, "--logits"), Twin(f"{run}/model.safetensors")
    with torch.no_grad():
        logits = twin.network(twin.standardize(test.rows))
    theirs = [twin.classes[k] for k in logits.argmax(1)]
    ours, probabilities = (torch.tensor([list(map(float, columns[f"{kind}_{name}"])) for name in twin.classes]).T for kind in ("logit", "probability"))
    same = sum(a == b for a, b in zip(columns["prediction"], theirs, strict=True))
    difference = (ours - logits).abs().max().item()
    probability_difference = (probabilities - logits.softmax(1)).abs().max().item()
    return report(
        len(theirs) == same == 10_000 and max(difference, probability_difference) <= 1e-4,
        f"{network} after {steps} steps: {same} of {len(theirs)} classes the same, logits differ by up to {difference:.1e}, "
        f"probabilities by {probability_difference:.1e}")


def outputs(program, run, data):
    """What the program predicts for numbers: a row to each row, and of a sequence that is answered step by step to each step."""
    columns = program.predict(run, data.path)
    return torch.tensor([list(map(float, column)) for name, column in columns.items() if name.startswith("prediction")]).T


def compare_layers(program, network):
    data = random_data(program.folder, 256, 36, outputs=3)
    run, _ = program.train(data, 30, network=network, batch=64, standardize="none")
    twin = Twin(f"{run}/model.safetensors")
    mean, deviation = twin.standardization("target")
    with torch.no_grad():
        theirs = twin.network(data.rows) * deviation + mean
    difference = (outputs(program, run, data) - theirs).abs().max().item()
    return report(difference <= 1e-5, f"{network}: predictions differ by up to {difference:.1e}")


def compare_recurrent(program, layer, theirs):
    """`theirs` is PyTorch's module as its documentation has it."""
    steps, columns = 9, 8
    data = random_data(program.folder, 64, steps * columns, outputs=theirs.hidden_size, steps=steps)
    run, _ = program.train(data, 30, network=f"sequence({steps}) {layer}", batch=64, standardize="none", optimizer="adam(0.01)")
    twin = Twin(f"{run}/model.safetensors")
    mean, deviation = twin.standardization("target")
    theirs.load_state_dict({name.removeprefix("1."): tensor for name, tensor in twin.network.state_dict().items()})
    with torch.no_grad():
        states, _ = theirs(data.rows.reshape(-1, steps, columns))
    difference = (outputs(program, run, data) - (states * deviation + mean).flatten(0, 1)).abs().max().item()
    return report(difference <= 1e-5, f"{layer} as {theirs}: states of {steps} steps differ by up to {difference:.1e}")


def compare_losses(program, data, network, optimizer, steps, batch=128, clip=1.0, loss="cross-entropy", tolerance=1e-4, name="", **settings):
    """Losses of both from the same start. `name` stands for a network too long to print, and lets chaos be an excuse."""
    common = dict(network=network, optimizer=optimizer, loss=loss, clip=f"norm({clip})", shuffle="false", batch=batch, **settings)
    start, _ = program.train(data, 0, **common)
    events = program.train(data, steps, **common)[1]
    ours, clipped = [event["loss"] for event in events], sum(event["clip_coefficient"] < 1 for event in events)

    def trace(**variant):
        return twin_losses(f"{start}/model.safetensors", data, loss, optimizer, steps, batch, clip, **variant)

    theirs = trace()
    apart = differences(ours, theirs)
    passed = max(apart) <= tolerance
    what = f"{name or network}, {optimizer}, {loss}: {steps} losses ({ours[0]:.3f} … {ours[-1]:.3f}), {clipped} of them clipped to {clip}: "
    what += f"relative difference up to {max(apart):.1e}"
    if not passed and name:
        own = [0] * steps  # the largest difference of PyTorch from itself up to each step
        for variant in VARIANTS:
            own = list(accumulate(map(max, own, differences(trace(**variant), theirs)), max))
            passed = all(a <= max(tolerance, CHAOS * b) for a, b in zip(apart, own, strict=True))
            if passed:
                break
        early = next(step for step, a in enumerate(apart, 1) if a > tolerance)
        what += f", above {tolerance:.0e} from step {early} on; PyTorch from itself up to {max(own):.1e}"
    return report(passed and (clipped > 0 or math.isinf(clip)), what)


def workloads():
    """Name, inputs, outputs, batch, optimizer, loss and network of each."""
    with open(f"{os.path.dirname(os.path.abspath(__file__))}/../workloads") as file:
        for line in file:
            if not line.startswith("#"):
                name, *numbers, optimizer, loss, network = (part.strip() for part in line.split("|"))
                yield name, *map(int, numbers), optimizer, loss, network


def compare_workload(program, name, inputs, outputs, batch, optimizer, loss, network, steps):
    began = time.monotonic()
    # Eight batches, over and over, as the scripts that time other frameworks have it.
    targets = {"classes" if loss == "cross-entropy" else "outputs": outputs}
    data = random_data(program.folder, min(8, steps) * batch, inputs, **targets)
    passed = compare_losses(program, data, network, optimizer, steps, batch, loss=loss, tolerance=5e-4, name=name, standardize="none")
    os.remove(data.path)
    print(f"        {network}: {time.monotonic() - began:.0f} s", flush=True)
    return passed


def comparisons(program, folder, full):
    """Every comparison, as the section it belongs to and a function without arguments."""
    fashion, test = fashion_mnist(folder, "train"), fashion_mnist(folder, "t10k")
    for network, steps in [(RELU, 2 * 469), (ACTIVATIONS, 200)]:
        yield "predictions", lambda: compare_predictions(program, fashion, test, network, steps)
    for network in LAYERS:
        yield "layers", lambda: compare_layers(program, network)
    for layer, theirs in [
        ("rnn(12, tanh)", torch.nn.RNN(8, 12, batch_first=True)), ("rnn(17, relu)", torch.nn.RNN(8, 17, nonlinearity="relu", batch_first=True)),
        ("lstm(12)", torch.nn.LSTM(8, 12, batch_first=True)), ("lstm(17, bias: false)", torch.nn.LSTM(8, 17, bias=False, batch_first=True)),
        ("gru(12)", torch.nn.GRU(8, 12, batch_first=True)), ("gru(17, bias: false)", torch.nn.GRU(8, 17, bias=False, batch_first=True)),
    ]:
        yield "recurrent", lambda: compare_recurrent(program, layer, theirs)
    for optimizer in OPTIMIZERS:
        # rmsprop has no bias correction: its first steps are 1/√(1 − ρ) times the rate, whatever the gradient's size, so what rounding leaves of a
        # gradient near zero becomes a whole step.
        yield "optimizers", lambda: compare_losses(program, fashion, TANH, optimizer, 50, name=TANH if optimizer.startswith("rmsprop") else "")
    yield "optimizers", lambda: compare_losses(program, fashion, RELU, "sgd(0.01, momentum: 0.9)", 50)
    yield "optimizers", lambda: compare_losses(program, fashion, RELU, "adamw(0.001)", 20)
    small = dict(optimizer="adam(0.01)", steps=50, batch=64, clip=0.3, standardize="none")
    for loss in CLASS_LOSSES:
        yield "losses", lambda: compare_losses(program, random_data(program.folder, 256, 36, classes=5), network=SMOOTH[0], loss=loss, **small)
    for loss in NUMBER_LOSSES:
        yield "losses", lambda: compare_losses(program, random_data(program.folder, 256, 36, outputs=3), network=SMOOTH[0], loss=loss, **small)
    for network in SMOOTH:
        yield "layers", lambda: compare_losses(program, random_data(program.folder, 256, 36, outputs=3), network=network, loss="mse", **small)
    for workload in workloads():
        yield "workloads", lambda: compare_workload(program, *workload, 100 if full else STEPS[workload[0]])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fathom", default="fathom", help="the program to compare (default: the one on the PATH)")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist", help="the folder with the images of Fashion-MNIST")
    parser.add_argument("--full", action="store_true", help="100 steps of every workload: some minutes")
    parser.add_argument("--only", metavar="SECTION", help="one section: predictions, recurrent, optimizers, losses, layers or workloads")
    options = parser.parse_args()
    if not os.path.exists(f"{options.data}/train-images-idx3-ubyte.gz"):
        absent(f"no Fashion-MNIST in {options.data}; apt-get install dataset-fashion-mnist, or --data FOLDER")
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        program = Program(options.fathom, folder)
        passed = [compare() for section, compare in comparisons(program, options.data, options.full) if options.only in (None, section)]
    return 0 if passed and all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
