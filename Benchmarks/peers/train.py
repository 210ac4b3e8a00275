"""Trains on Fashion-MNIST as a short script of PyTorch's or JAX's users does: read, shuffle each epoch, step, test, save.

usage: train.py pytorch|jax WORKLOAD.yaml --data FOLDER --epochs N|--steps N --threads N --output FOLDER
"""
import argparse
import gzip
import json
import os

import numpy as np
from workload import Optimizer, Workload


def idx(path, header):
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def split(folder, name):
    """Standardized rows, and classes."""
    rows = idx(f"{folder}/{name}-images-idx3-ubyte.gz", 16).reshape(-1, 784).astype(np.float32)
    rows -= 255 * 0.2860  # mean and deviation of the training images, as every tutorial has them
    rows /= 255 * 0.3530
    return rows, idx(f"{folder}/{name}-labels-idx1-ubyte.gz", 8).astype(np.int32)


def orders(rows, batch, epochs, steps, short):
    """The rows of each step; `short`: the last batch of an epoch too, where it is not full."""
    random, taken = np.random.default_rng(0), 0
    for _ in range(epochs or 10**9):
        order = random.permutation(rows)
        for begin in range(0, rows if short else rows - batch + 1, batch):
            if steps and taken == steps:
                return
            yield order[begin:begin + batch]
            taken += 1


def train_pytorch(workload, settings, training, test, options):
    import pytorch
    import torch

    torch.set_num_threads(options.threads)
    model = pytorch.network(workload)
    step = pytorch.stepper(model, workload, settings)
    x, y = torch.from_numpy(training[0]), torch.from_numpy(training[1]).long()
    for order in orders(len(x), workload.batch, options.epochs, options.steps, short=True):
        order = torch.from_numpy(order)
        step(x[order], y[order])
    with torch.no_grad():
        right = (model.eval()(torch.from_numpy(test[0])).argmax(1).numpy() == test[1]).mean()
    torch.save(model.state_dict(), f"{options.output}/model.pt")
    return right


def train_jax(workload, settings, training, test, options):
    from functools import partial

    import jax
    import jax_steps

    x, y = training
    state = jax_steps.initial_state(jax_steps.initial(workload), {}, settings)
    step = jax.jit(partial(jax_steps.step, workload, settings), donate_argnums=0)
    # A short batch would compile the step once more.
    for order in orders(len(x), workload.batch, options.epochs, options.steps, short=False):
        state, _ = step(state, (x[order], y[order]))
    outputs, _ = jax.jit(partial(jax_steps.forward, workload.layers))(state[0], {}, test[0])
    np.savez(f"{options.output}/model.npz", **state[0])
    return (np.asarray(outputs).argmax(1) == test[1]).mean()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("framework", choices=["pytorch", "jax"])
    parser.add_argument("workload")
    parser.add_argument("--data", required=True)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    os.makedirs(options.output)
    workload = Workload(options.workload)
    training, test = split(options.data, "train"), split(options.data, "t10k")
    train = train_pytorch if options.framework == "pytorch" else train_jax
    accuracy = train(workload, Optimizer("adamw", 1e-3, 0.0, 0.01), training, test, options)
    with open(f"{options.output}/result.json", "w") as file:
        json.dump({"test_accuracy": float(accuracy)}, file)
    print(f"test accuracy {100 * accuracy:.2f} %")


if __name__ == "__main__":
    main()
