"""JAX's step: one jitted call a step (`jit`), or all batches in one jitted lax.scan (`scan`), which pays for a call once in eight steps."""
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import workload as w
from jax import lax

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "gelu(tanh)": partial(jax.nn.gelu, approximate=True)}


def parameters(start):
    """What learns, and the running statistics, from a model file; weights as [inputs, outputs]."""
    tensors = {name: jnp.asarray(t.T if t.ndim == 2 else t) for name, t in w.read_tensors(start).items()}
    running = {name: t for name, t in tensors.items() if ".running_" in name}
    return {name: t for name, t in tensors.items() if name not in running}, running


def initial(workload):
    """Parameters drawn anew: weights normal with variance 1/inputs. Of feed-forward networks without running statistics."""
    random, p = np.random.default_rng(0), {}

    def draw(layers):
        for layer in layers:
            match layer:
                case w.Linear(name, inputs, outputs):
                    p[f"{name}.weight"] = jnp.asarray(random.standard_normal((inputs, outputs), dtype=np.float32) / inputs**0.5)
                    p[f"{name}.bias"] = jnp.zeros(outputs)
                case w.LayerNorm(name, width):
                    p[f"{name}.weight"], p[f"{name}.bias"] = jnp.ones(width), jnp.zeros(width)
                case w.Residual(inside):
                    draw(inside)

    draw(workload.layers)
    return p


def normalized(x, axis, p, name):
    mean = x.mean(axis, keepdims=True)
    variance = jnp.square(x - mean).mean(axis, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * p[f"{name}.weight"] + p[f"{name}.bias"], mean, variance


def forward(layers, p, running, x):
    """The outputs, and the running statistics after this batch."""
    running = dict(running)
    for layer in layers:
        match layer:
            case w.Linear(name):
                x = x @ p[f"{name}.weight"] + p[f"{name}.bias"]
            case w.Rnn(name):
                z = x @ p[f"{name}.weight_ih_l0"] + (p[f"{name}.bias_ih_l0"] + p[f"{name}.bias_hh_l0"])
                recurrent = p[f"{name}.weight_hh_l0"]

                def cell(h, z):
                    h = jnp.tanh(z + h @ recurrent)
                    return h, h

                _, states = lax.scan(cell, jnp.zeros((len(x), layer.outputs)), z.swapaxes(0, 1))
                x = states.swapaxes(0, 1)
            case w.LayerNorm(name):
                x, _, _ = normalized(x, -1, p, name)
            case w.BatchNorm(name):
                rows = len(x)
                x, mean, variance = normalized(x, 0, p, name)
                for statistic, value in (("mean", mean[0]), ("var", variance[0] * (rows / (rows - 1)))):
                    key = f"{name}.running_{statistic}"
                    running[key] = 0.9 * running[key] + 0.1 * value
            case w.Activation(function):
                x = ACTIVATIONS[function](x)
            case w.Residual(inside):
                branch, running = forward(inside, p, running, x)
                x = x + branch
            case w.Last():
                x = x[:, -1]
    return x, running


def loss_of(workload, p, running, x, y):
    outputs, running = forward(workload.layers, p, running, x)
    if workload.loss == "cross-entropy":
        chosen = jnp.take_along_axis(outputs, y[:, None], 1)[:, 0]
        return (jax.nn.logsumexp(outputs, 1) - chosen).mean(), running
    return jnp.square(outputs - y).mean(), running


def initial_state(p, running, settings):
    zeros = jax.tree.map(jnp.zeros_like, p)
    return p, running, zeros, {} if settings.name == "sgd" else jax.tree.map(jnp.zeros_like, p), jnp.zeros((), jnp.float32)


def step(workload, settings, state, batch):
    """The state after a step, and the loss before it."""
    p, running, m, v, t = state
    (loss, running), g = jax.value_and_grad(partial(loss_of, workload), has_aux=True)(p, running, *batch)
    norm = jnp.sqrt(sum(jnp.vdot(x, x) for x in jax.tree.leaves(g)))
    g = jax.tree.map(lambda g: g * jnp.minimum(1, 1 / (norm + 1e-6)), g)
    t, rate = t + 1, settings.rate
    if settings.name == "sgd":
        m = jax.tree.map(lambda m, g: settings.momentum * m + g, m, g)
        p = jax.tree.map(lambda p, m: p - rate * m, p, m)
    else:
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        first, second = 1 - 0.9**t, 1 - 0.999**t

        def update(p, m, v):
            decayed = p * (1 - rate * settings.decay) if p.ndim > 1 else p
            return decayed - rate * (m / first) / (jnp.sqrt(v / second) + 1e-8)

        p = jax.tree.map(update, p, m, v)
    return (p, running, m, v, t), loss


def main():
    import server

    chosen, workload = server.options(["jit", "scan"])
    settings = workload.optimizer
    state = initial_state(*parameters(chosen.start), settings)
    batches = [(jnp.asarray(x), jnp.asarray(y.astype(np.int32) if y.dtype == np.int64 else y)) for x, y in workload.batches()]
    taken = 0
    if chosen.variant == "scan":
        stacked = jax.tree.map(lambda *parts: jnp.stack(parts), *batches)
        eight = jax.jit(lambda state, batches: lax.scan(partial(step, workload, settings), state, batches), donate_argnums=0)

        def run(calls):
            nonlocal state
            for _ in range(calls):
                state, losses = eight(state, stacked)
            jax.block_until_ready(state)
            return losses.tolist()

        server.serve(chosen, workload, run, len(batches))
    else:
        one = jax.jit(partial(step, workload, settings), donate_argnums=0)

        def run(calls):
            nonlocal state, taken
            for _ in range(calls):
                state, loss = one(state, batches[taken % len(batches)])
                taken += 1
            jax.block_until_ready(state)
            return [float(loss)]

        server.serve(chosen, workload, run)


if __name__ == "__main__":
    main()
