"""Masks of the highest scores, and random ones that share something with a given one: its size, its size a projection, or
every neuron's degrees.

Drawn once, outside of any compiled program, with numpy.
"""

from collections.abc import Mapping

import numpy as np

Masks = Mapping[str, np.ndarray]


def strongest(scores: Masks, count: int) -> dict[str, np.ndarray]:
    """The ``count`` places of highest score, over all projections together; of equals the first.

    Args:
        scores: (pre, post) by projection; -inf where there must be nothing, as long as ``count`` leaves room for that.
        count: synapses to be.
    """
    sizes = [np.size(score) for score in scores.values()]
    together = np.concatenate([np.ravel(score) for score in scores.values()])
    flat = np.zeros(sum(sizes), np.float32)
    flat[np.argsort(-together, kind="stable")[:count]] = 1
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return {name: part.reshape(np.shape(score)) for (name, score), part in zip(scores.items(), parts, strict=True)}


def same_density(masks: Masks, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """As many synapses in all, anywhere in any projection."""
    sizes = [mask.size for mask in masks.values()]
    flat = np.zeros(sum(sizes), np.float32)
    flat[rng.choice(flat.size, int(sum((mask > 0).sum() for mask in masks.values())), replace=False)] = 1
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return {name: part.reshape(mask.shape) for (name, mask), part in zip(masks.items(), parts, strict=True)}


def same_layers(masks: Masks, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """As many synapses in each projection, anywhere in it."""
    return {name: same_density({name: mask}, rng)[name] for name, mask in masks.items()}


def same_degrees(masks: Masks, rng: np.random.Generator, trades: int = 5) -> dict[str, np.ndarray]:
    """Every neuron keeps its fan-in and its fan-out in each projection; who meets whom is drawn anew.

    Curveball trades (Strona et al. 2014, Nature Communications 5:4114): two senders pool the receivers that only one of
    them has and deal them out again. It mixes as double edge swaps do, many swaps at a time.

    Args:
        masks: (pre, post) zeros and ones.
        rng: of all that is drawn.
        trades: trades a sender.
    """
    out = {}
    for name, mask in masks.items():
        rewired = np.array(mask > 0)
        for _ in range(trades * len(rewired) // 2 if len(rewired) > 1 else 0):
            one, other = rng.choice(len(rewired), 2, replace=False)
            pool = np.flatnonzero(rewired[one] ^ rewired[other])
            mine = rng.permutation(pool)[: int(rewired[one, pool].sum())]
            rewired[other, pool] = True
            rewired[one, pool] = False
            rewired[one, mine], rewired[other, mine] = True, False
        out[name] = rewired.astype(np.float32)
    return out
