"""The same lives in torch: a loop over networks, ``torch.func.vmap`` over ``grad``, bmm by hand, and a compiled vmap."""

from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.speed.same_work import BATCH, RATE, SIZES, STEPS, Run, Work

# by name, because torch is no dependency and a type checker would take the script beside this one for it
torch: Any = import_module("torch")
grad, vmap, cross_entropy = torch.func.grad, torch.func.vmap, torch.nn.functional.cross_entropy


def tensors(work: Work) -> list[Any]:
    """Weights and zero biases a layer, then the data, all by life."""
    weights = [torch.from_numpy(w) for w in work.weights]
    biases = [torch.zeros(len(w), w.shape[2]) for w in work.weights]
    inputs, targets, probe_inputs, probe_targets = (torch.from_numpy(x) for x in work[1:])
    return [weights + biases, inputs, targets.long(), probe_inputs, probe_targets.long()]


def losses(birth: Any, end: Any) -> np.ndarray:
    """What a run returns."""
    return torch.stack([birth, end], 1).detach().numpy()


def loop(work: Work) -> Run:
    """A module for each network, trained by autograd and SGD, one after the other: the code that one writes first."""
    params, inputs, targets, probe_inputs, probe_targets = tensors(work)
    layers = [torch.nn.Linear(a, b) for a, b in pairwise(SIZES)]
    model = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])

    def live(i: int) -> list[float]:
        with torch.no_grad():
            for layer, w, b in zip(layers, params[:3], params[3:], strict=True):
                layer.weight.copy_(w[i].T)
                layer.bias.copy_(b[i])
            birth = cross_entropy(model(probe_inputs[i]), probe_targets[i]).item()
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
        for step in range(STEPS):
            optimizer.zero_grad()
            cross_entropy(model(inputs[i, step]), targets[i, step]).backward()
            optimizer.step()
        with torch.no_grad():
            return [birth, cross_entropy(model(probe_inputs[i]), probe_targets[i]).item()]

    return lambda: np.array([live(i) for i in range(len(inputs))], np.float32)


def loss_of(params: list[Any], x: Any, y: Any) -> Any:
    """Cross-entropy of one network on one batch."""
    depth = len(params) // 2
    for i in range(depth):
        x = x @ params[i] + params[depth + i]
        if i < depth - 1:
            x = torch.relu(x)
    return cross_entropy(x, y)


def by_vmap(work: Work, *, compiled: bool = False) -> Run:
    """``torch.func.vmap`` over ``grad``, all lives together; the update is compiled with it where asked for."""
    start, inputs, targets, probe_inputs, probe_targets = tensors(work)
    gradients, value = vmap(grad(loss_of)), vmap(loss_of)

    def update(params: list[Any], x: Any, y: Any) -> list[Any]:
        return [p - RATE * g for p, g in zip(params, gradients(params, x, y), strict=True)]

    step: Callable[..., list[Any]] = torch.compile(update) if compiled else update

    @torch.no_grad()
    def run() -> np.ndarray:
        params = start
        birth = value(params, probe_inputs, probe_targets)
        for i in range(STEPS):
            params = step(params, inputs[:, i], targets[:, i])
        return losses(birth, value(params, probe_inputs, probe_targets))

    return run


def by_hand(work: Work) -> Run:
    """Batched matrix products written out, autograd for the gradient, the update in place."""
    start, inputs, targets, probe_inputs, probe_targets = tensors(work)
    depth = len(start) // 2
    params = [p.clone().requires_grad_() for p in start]

    def value(x: Any, y: Any) -> Any:
        for i in range(depth):
            x = torch.baddbmm(params[depth + i][:, None], x, params[i])
            if i < depth - 1:
                x = torch.relu(x)
        return cross_entropy(x.reshape(-1, SIZES[-1]), y.reshape(-1), reduction="none").reshape(-1, BATCH).mean(1)

    def run() -> np.ndarray:
        with torch.no_grad():
            for p, first in zip(params, start, strict=True):
                p.copy_(first)
            birth = value(probe_inputs, probe_targets)
        for i in range(STEPS):
            gradients = torch.autograd.grad(value(inputs[:, i], targets[:, i]).sum(), params)
            with torch.no_grad():
                for p, g in zip(params, gradients, strict=True):
                    p.sub_(g, alpha=RATE)
        with torch.no_grad():
            return losses(birth, value(probe_inputs, probe_targets))

    return run
