"""TensorFlow's step: one tf.function for forward pass, gradient, clipping and update, compiled by XLA."""
import server
import workload as w

chosen, workload = server.options(["xla"])

import tensorflow as tf  # noqa: E402  after the number of threads is in the environment

tf.config.threading.set_intra_op_parallelism_threads(chosen.threads)
tf.config.threading.set_inter_op_parallelism_threads(chosen.threads)

ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.tanh, "gelu(tanh)": lambda x: tf.nn.gelu(x, approximate=True)}
tensors = {name: tf.Variable(t.T if t.ndim == 2 else t) for name, t in w.read_tensors(chosen.start).items()}
learned = [v for name, v in tensors.items() if ".running_" not in name]
settings = workload.optimizer
first = [tf.Variable(tf.zeros_like(v)) for v in learned]
second = [] if settings.name == "sgd" else [tf.Variable(tf.zeros_like(v)) for v in learned]
time = tf.Variable(0.0)


def normalized(x, axis, name):
    mean, variance = tf.nn.moments(x, axis, keepdims=True)
    y = tf.nn.batch_normalization(x, mean, variance, tensors[f"{name}.bias"], tensors[f"{name}.weight"], 1e-5)
    return y, mean, variance


def recurrence(x, layer):
    """The last state alone, which is all that is asked for."""
    name = layer.name
    flat = tf.matmul(tf.reshape(x, [-1, layer.inputs]), tensors[f"{name}.weight_ih_l0"])
    z = tf.transpose(tf.reshape(flat, [workload.batch, layer.steps, layer.outputs]), [1, 0, 2])
    z += tensors[f"{name}.bias_ih_l0"] + tensors[f"{name}.bias_hh_l0"]
    recurrent = tensors[f"{name}.weight_hh_l0"]
    start = (tf.constant(0), tf.zeros([workload.batch, layer.outputs]))
    _, h = tf.while_loop(
        lambda t, h: t < layer.steps, lambda t, h: (t + 1, tf.tanh(z[t] + tf.matmul(h, recurrent))), start, maximum_iterations=layer.steps)
    return h


def forward(layers, x):
    for layer in layers:
        match layer:
            case w.Linear(name):
                x = tf.nn.bias_add(tf.matmul(x, tensors[f"{name}.weight"]), tensors[f"{name}.bias"])
            case w.Rnn():
                x = recurrence(x, layer)
            case w.LayerNorm(name):
                x, _, _ = normalized(x, [-1], name)
            case w.BatchNorm(name):
                x, mean, variance = normalized(x, [0], name)
                for statistic, value in (("mean", mean[0]), ("var", variance[0] * (workload.batch / (workload.batch - 1)))):
                    running = tensors[f"{name}.running_{statistic}"]
                    running.assign(0.9 * running + 0.1 * value)
            case w.Activation(function):
                x = ACTIVATIONS[function](x)
            case w.Residual(inside):
                x = x + forward(inside, x)
    return x


@tf.function(jit_compile=True, autograph=False)
def step(x, y):
    with tf.GradientTape() as tape:
        outputs = forward(workload.layers, x)
        if workload.loss == "cross-entropy":
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs))
        else:
            loss = tf.reduce_mean(tf.square(outputs - y))
    gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, learned), 1.0)
    time.assign_add(1.0)
    if settings.name == "sgd":
        for p, m, g in zip(learned, first, gradients):
            p.assign_sub(settings.rate * m.assign(settings.momentum * m + g))
        return loss
    rate = settings.rate / (1 - 0.9**time)
    root = tf.sqrt(1 - 0.999**time)
    for p, m, v, g in zip(learned, first, second, gradients):
        mean, square = m.assign(0.9 * m + 0.1 * g), v.assign(0.999 * v + 0.001 * g * g)
        decay = settings.rate * settings.decay if p.shape.rank > 1 else 0.0
        p.assign(p * (1 - decay) - rate * mean / (tf.sqrt(square) / root + 1e-8))
    return loss


batches = [(tf.constant(x), tf.constant(y)) for x, y in workload.batches()]
taken = 0


def run(calls):
    global taken
    for _ in range(calls):
        loss = step(*batches[taken % len(batches)])
        taken += 1
    return [float(loss)]


server.serve(chosen, workload, run)
