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


def same_degrees(masks: Masks, rng: np.random.Generator, trades: int = 30) -> dict[str, np.ndarray]:
    """Every neuron keeps its fan-in and its fan-out in each projection; who meets whom is drawn anew.

    Curveball trades (Strona et al. 2014, Nature Communications 5:4114): two neurons pool the partners that only one of them
    has and deal them out again. All neurons of the smaller side are paired and trade at once, many times over (the global
    trades of Carstens et al. 2018, doi 10.4230/LIPIcs.ESA.2018.11); those without a partner, or with all, have nothing to trade.

    Args:
        masks: (pre, post) zeros and ones.
        rng: of all that is drawn.
        trades: trades a neuron; after 20 a mask shares with its start what it shares with any other.
    """
    return {name: _traded(mask > 0, rng, trades).astype(np.float32) for name, mask in masks.items()}


def _traded(mask: np.ndarray, rng: np.random.Generator, trades: int) -> np.ndarray:
    """A mask of the same row and column sums, after so many trades a row of the smaller side."""
    rows, columns = (np.flatnonzero(mask.any(axis) & ~mask.all(axis)) for axis in (1, 0))
    if len(rows) > len(columns):
        return _traded(mask.T, rng, trades).T
    part, out, pairs = mask[np.ix_(rows, columns)], mask.copy(), len(rows) // 2
    for _ in range(trades if pairs else 0):
        order = rng.permutation(len(rows))
        one, other = order[:pairs], order[pairs : 2 * pairs]
        mine, its = part[one], part[other]
        # places in random order, those of the pool first: the one is dealt as many as it had, the other all that are left
        lot = np.where(mine ^ its, rng.random(mine.shape), 2.0)
        end = np.take_along_axis(np.sort(np.pad(lot, ((0, 0), (0, 1)), constant_values=2.0)), (mine & ~its).sum(1)[:, None], 1)
        part[one], part[other] = (mine & its) | (lot < end), (mine & its) | ((lot >= end) & (lot < 2))
    out[np.ix_(rows, columns)] = part
    return out
