"""PyTorch's step: eager or compiled, the optimizer fused, clipping by foreach.

`compiled` compiles the forward pass and the loss (and so the backward pass), as is usual; torch.compile leaves nn.RNN to eager mode.
"""
import torch
import workload as w
from torch import nn
from torch.nn import functional


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Rnn(nn.RNN):
    def forward(self, x):
        return super().forward(x)[0]


class Last(nn.Module):
    def forward(self, x):
        return x[:, -1]


ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu(tanh)": lambda: nn.GELU("tanh")}


def module(layer):
    """Modules at the positions that Fathom's files name, so that a model file is a state_dict."""
    match layer:
        case w.Linear():
            return nn.Linear(layer.inputs, layer.outputs)
        case w.Rnn():
            return Rnn(layer.inputs, layer.outputs, batch_first=True)
        case w.LayerNorm():
            return nn.LayerNorm(layer.width)
        case w.BatchNorm():
            return nn.BatchNorm1d(layer.width)
        case w.Activation():
            return ACTIVATIONS[layer.function]()
        case w.Residual():
            return Residual(*map(module, layer.layers))
        case w.Sequence():
            return nn.Identity()  # the batches have their steps already
        case w.Last():
            return Last()


def network(workload, start=None):
    model = nn.Sequential(*map(module, workload.layers))
    if start:
        tensors = {name: torch.from_numpy(tensor) for name, tensor in w.read_tensors(start).items()}
        missing, unexpected = model.load_state_dict(tensors, strict=False)
        assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing), (missing, unexpected)
    return model


def optimizer(parameters, settings):
    name, rate, momentum, decay = settings
    if name == "sgd":
        return torch.optim.SGD(parameters, rate, momentum=momentum, fused=True)
    if name == "adam":
        return torch.optim.Adam(parameters, rate, fused=True)
    return torch.optim.AdamW(parameters, rate, weight_decay=decay, fused=True)


def stepper(model, workload, settings, compiled=False):
    """A function of a batch that takes a step and gives the loss, a tensor."""
    parameters = list(model.parameters())
    update = optimizer(parameters, settings)
    loss_of = functional.cross_entropy if workload.loss == "cross-entropy" else functional.mse_loss

    def forward(x, y):
        return loss_of(model(x), y)

    if compiled:
        forward = torch.compile(forward)

    def step(x, y):
        update.zero_grad(set_to_none=True)
        loss = forward(x, y)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0, foreach=True)
        update.step()
        return loss.detach()

    return step


def main():
    import server

    chosen, workload = server.options(["eager", "compiled"])
    torch.set_num_threads(chosen.threads)
    step = stepper(network(workload, chosen.start), workload, workload.optimizer, chosen.variant == "compiled")
    batches = [(torch.from_numpy(x), torch.from_numpy(y)) for x, y in workload.batches()]
    taken = 0

    def run(calls):
        nonlocal taken
        for _ in range(calls):
            loss = step(*batches[taken % len(batches)])
            taken += 1
        return [loss.item()]

    server.serve(chosen, workload, run)


if __name__ == "__main__":
    main()
