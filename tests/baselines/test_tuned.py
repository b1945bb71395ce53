from collections import Counter
from dataclasses import replace
from types import MethodType
from typing import Any

import jax
import numpy as np
import pytest

from evodev.baselines.dense import Dense
from evodev.baselines.scratch import narrowed
from evodev.baselines.tuned import RandomSearch, Structure
from evodev.learners import ActorCritic, Gradient
from evodev.organism import Organism
from tests.baselines.space import FIELD, champion_setting
from tests.tiny import Levers

KEY = jax.random.key(0)


def test_every_value_of_a_field_is_drawn_equally_often_and_numbers_within_their_ranges() -> None:
    search = RandomSearch(Dense(), structures=12, draws=5)
    structures, candidates = search.drawn(champion_setting(1456), np.random.default_rng(0))
    assert Counter(s.optimiser for s in structures) == {"sgd": 4, "momentum": 4, "adam": 4}
    assert Counter(s.replay for s in structures) == {0: 4, 1: 4, 3: 4}
    assert Counter(s.width for s in structures) == dict.fromkeys((1.0, 0.5, 0.25, 0.125), 3)
    assert len(set(structures)) > 9
    assert Counter(c.structure for c in candidates) == dict.fromkeys(range(12), 5)
    ranges = {name: (least, most) for name, least, most in search.rates}
    for c in candidates:
        least, most = ranges[structures[c.structure].optimiser]
        assert least <= c.rate <= most
        assert 0.25 <= c.scale <= 4


def test_a_structure_becomes_an_organism() -> None:
    setting = champion_setting(1456)
    organism = RandomSearch(Dense()).organism(setting, Structure("adam", "cosine", 3, 0.5), key=KEY)
    # three steps, each of a new batch and three replayed ones
    assert organism.learner == Gradient("adam", fall="cosine", horizon=12, replay=3, capacity=6)
    assert organism.substrate == narrowed(FIELD, 0.5)
    # 80 episodes of at most two moments, each an update of its own
    acting = replace(setting, task=Levers(features=64))
    organism = RandomSearch(Dense()).organism(acting, Structure("adam", "linear", 0, 1.0), key=KEY)
    assert organism.learner == ActorCritic(Gradient("adam", fall="linear", horizon=160, log_rate=-4.0))
    assert {s.replay for s in RandomSearch(Dense()).drawn(acting, np.random.default_rng(0))[0]} == {0}


@pytest.mark.parametrize("seed", [0, 1])
def test_halving_finds_what_is_best_and_tells_what_it_cost(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a landscape that can be read off a genome, so that the best of what was drawn is known."""
    seen: list[tuple[int, list[float]]] = []

    def height(organism: Organism, genome: Any) -> float:
        rate = float(organism.genome_spec.unpack(genome)["learner/output/log_rate"])
        good: Any = organism.learner
        return 3.0 * (good.optimiser == "momentum") - abs(rate - np.log(0.02)) - organism.substrate.synapses / 1e4

    def validated(setting: Any, organism: Organism, genomes: Any, *, lives: int, key: Any) -> np.ndarray:
        heights = [height(organism, g) for g in genomes]
        seen.append((lives, heights))
        return np.array(heights)

    monkeypatch.setattr("evodev.baselines.tuned.validated", validated)
    search = RandomSearch(Dense(), structures=6, draws=6)
    arm = search.build("searched", champion_setting(1456), key=jax.random.key(seed), say=lambda line: None)
    counts = {lives: sum(len(h) for n, h in seen if n == lives) for lives in (4, 16, 64)}
    assert counts == {4: 36, 16: 9, 64: 2}
    assert arm.tuning_lives == 36 * 4 + 9 * 16 + 2 * 64
    best = max(h for lives, heights in seen if lives == 4 for h in heights)
    assert isinstance(arm.develop, MethodType)
    won = arm.develop.__self__
    assert isinstance(won, Organism)
    assert height(won, arm.subject) == best
    assert "36 configurations" in arm.note
    assert "momentum" in arm.note


def test_a_planted_configuration_is_found_in_real_lives(one_device: None) -> None:
    # at these rates sgd never moves, and adam learns
    rates = (("sgd", 1e-7, 1e-6), ("adam", 0.01, 0.03))
    search = RandomSearch(
        Dense(), structures=2, draws=2, rounds=1, lives=8, rates=rates, falls=("linear",), replays=(1,), widths=(0.5,)
    )
    arm = search.build("searched", champion_setting(1456), key=KEY, say=lambda line: None)
    assert "adam, linear fall, 1 replayed batches a step, width 0.5" in arm.note
    assert arm.tuning_lives == 4 * 8
