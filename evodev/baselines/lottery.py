"""Lottery tickets: iterative magnitude pruning with rewinding, in lives."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, log

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines.base import Setting
from evodev.baselines.masks import strongest
from evodev.baselines.pruning import Criterion, Pruned, scores_of
from evodev.evaluation import sample_lives
from evodev.network import Network
from evodev.organism import Organism
from evodev.types import Genes, Key

Masks = dict[str, np.ndarray]


def rewound(network: Network, masks: Masks) -> Network:
    """The network as it was born, where a mask has a synapse."""
    weights = network.weights | {name: network.weights[name] * mask for name, mask in masks.items()}
    return replace(network, weights=weights, masks=network.masks | {name: jnp.asarray(m) for name, m in masks.items()})


@dataclass(frozen=True)
class Lottery(Pruned):
    """Iterative magnitude pruning (Frankle and Carbin 2019, arXiv 1803.03635): train, cut the smallest, rewind, again.

    A training is a life. Labels are drawn anew in each, so that one training over many lives would unlearn with each what
    the last one taught: every life of a round begins at the first weights, and what is cut is what is smallest on the
    average of their ends. The ticket is therefore one for the family of worlds, where the paper's is for one data set.
    Departs from the paper also in ranking all grown synapses together (the paper does so for its deep networks) and in
    leaving blank slates whole. Rewound weights are the first ones, not made larger for those that are gone; the grid has
    larger ones.

    Attributes:
        share: of the synapses left that a round cuts, at most; all rounds cut the same share.
    """

    criterion: Criterion = "magnitude"
    share: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"lottery: share must lie between 0 and 1, given {self.share}")

    @property
    def found(self) -> str:
        return f"rounds of {self.lives} train lives (labels redrawn, so each life a training of its own), {self.share:.0%} cut"

    def rounds(
        self, setting: Setting, organism: Organism, born: tuple[Network, Genes], count: int, key: Key, key_lives: Key
    ) -> Iterator[Masks]:
        """Masks after each round, each within the last; the last one has ``count`` synapses."""
        network, genes = born
        shapes = {p.name: organism.substrate.shape(p) for p in organism.substrate.grown}
        masks: Masks = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
        total = sum(mask.size for mask in masks.values())
        many = max(1, ceil(log(count / total) / log(1 - self.share)))
        for number in range(1, many + 1):
            # other lives in each round, so that no mask is found by what it is then tried on
            lives = sample_lives(setting.task, "train", self.lives, key=jax.random.fold_in(key_lives, number))
            now, own_key = rewound(network, masks), jax.random.fold_in(key, number)
            scores = scores_of("magnitude", setting.task, organism.substrate, organism.learner, genes, now, lives, own_key)
            left = {name: np.where(masks[name] > 0, np.asarray(score), -np.inf) for name, score in scores.items()}
            masks = strongest(left, round(total * (count / total) ** (number / many)))
            yield masks

    def cut(
        self, setting: Setting, organism: Organism, born: tuple[Network, Genes], count: int, key: Key, key_lives: Key
    ) -> tuple[Network, int]:
        rounds = list(self.rounds(setting, organism, born, count, key, key_lives))
        return rewound(born[0], rounds[-1]), self.lives * len(rounds)
