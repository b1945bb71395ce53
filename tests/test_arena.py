"""The arena is fair: equal numbers, synapses and lives for all decoders; what is done is not done again."""

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.arena import board
from benchmarks.arena.cells import ARMS, REFERENCES, RIVALS, Cell, Entry, flagged
from benchmarks.arena.sizes import TOLERANCE, numbers, sized
from benchmarks.arena.worlds import BUDGETS, MAKERS, World, bare, worlds
from evodev.decoders import DECODERS
from evodev.decoders.sparsity import Budget
from evodev.experiment import Experiment
from evodev.search import Search

QUICK = BUDGETS["quick"]
WORLDS = worlds(QUICK)


def _cell(arm: str, world: str) -> Cell:
    return Cell(arm, WORLDS[world], QUICK)


@pytest.mark.parametrize("name", MAKERS)
def test_every_decoder_has_an_experiment_of_equal_numbers_and_synapses(name: str) -> None:
    world = WORLDS[name]
    off = set()
    for arm in DECODERS:
        decoder = sized(arm, world)
        Experiment(world.task, world.substrate, decoder, world.learner, QUICK.strategy, QUICK.schedule, world.fitness)
        assert _cell(arm, name).reason is None
        if abs(numbers(decoder, world) - world.numbers) > TOLERANCE * world.numbers:
            off.add(arm)
            assert flagged(_cell(arm, name))
        # windows, where a wiring has any, leave room for the whole budget
        assert isinstance(decoder.sparsity, Budget)
        granted = decoder.sparsity.counts({}, decoder.wiring.windows(world.substrate), world.substrate)
        assert float(jnp.stack(list(granted.values())).sum()) == pytest.approx(world.grown, abs=1)
    assert off <= {"direct"}


def test_a_wider_world_is_the_same_world_of_more_types() -> None:
    for narrow, wide in zip(WORLDS.values(), worlds(BUDGETS["gpu"]).values(), strict=True):
        assert wide.task == narrow.task
        assert wide.substrate.synapses > narrow.substrate.synapses


def test_every_search_lives_as_many_lives() -> None:
    cells = [_cell(arm, "CartPole") for arm in ("direct", "spatial_gem", *RIVALS[:2])]
    spent = {cell.search(o).lives_at(QUICK.generations) for cell in cells if (o := cell.organism)}
    assert spent == {cells[0].lives} == {cells[0].setting(0).budget}
    assert cells[0].lives == QUICK.generations * QUICK.population * QUICK.lives + 4 * 2 * QUICK.validation_lives


def test_what_cannot_be_says_why() -> None:
    reasons = {(arm, name): _cell(arm, name).reason for arm in ARMS for name in ("sine", "CartPole")}
    assert {arm for (arm, name), why in reasons.items() if why and name == "sine"} == set(REFERENCES)
    assert {arm for (arm, name), why in reasons.items() if why and name == "CartPole"} == {"RigL", "SNIP", "MAML", *REFERENCES}


def test_without_a_network_the_learner_sees_the_inputs() -> None:
    for world in WORLDS.values():
        substrate = bare(world)
        assert [p.size for p in substrate.populations] == [world.task.inputs, world.task.outputs]
        assert substrate.projections[0].blank == any(p.blank for p in world.substrate.projections)


class Fake(Cell):
    """Costs nothing, and breaks off in its second seed when it is asked to."""

    done: ClassVar[list[int]] = []
    broken = True

    def search(self, organism: Any) -> Any:
        return None if organism is None else Search.__new__(Search)

    def searched(self, search: Search, seed: int) -> Entry:
        if self.broken and seed == 1:
            raise KeyboardInterrupt
        self.done.append(seed)
        return {"score": seed / 10}


def test_a_killed_cell_goes_on_where_it_was(tmp_path: Path) -> None:
    cell = Fake("direct", WORLDS["CartPole"], QUICK)
    with pytest.raises(KeyboardInterrupt):
        list(cell.run(3, tmp_path))
    assert Fake.done == [0]
    Fake.broken = False
    assert [entry["score"] for entry in cell.run(3, tmp_path)] == [0.0, 0.1, 0.2]
    assert Fake.done == [0, 1, 2]
    list(cell.run(3, tmp_path))
    assert Fake.done == [0, 1, 2]
    # another budget or another world is another cell
    assert replace(cell, budget=BUDGETS["overnight"]).finished(0, tmp_path) is None
    assert replace(cell, world=replace(cell.world, fraction=0.4)).finished(0, tmp_path) is None


def _entries(*scores: float) -> list[Entry]:
    return [{"score": s, "aulc": 1 - s, "numbers": 5, "synapses": 7.0, "failed": 0.0, "lives": 9, "seconds": 1.0} for s in scores]


def test_ranks_and_the_strongest_rival_of_each_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "RESAMPLES", 20)
    results: board.Results = {arm: {} for arm in ARMS}
    high, low = dict.fromkeys(MAKERS, _entries(0.8, 0.9)), dict.fromkeys(MAKERS, _entries(0.1, 0.2, 0.3))
    results |= {"gem": high, "dct": low, "MAML": {name: _entries(0.5, 0.5) for name in MAKERS if name != "CartPole"}}
    results["RigL"] = {"CartPole": _entries(0.85, 0.85)}
    table = board.leaderboard(results, list(MAKERS), "")
    assert [row["label"] for row in table] == ["1. gem", "2. dct"]
    assert table[0]["measured"] == pytest.approx(0.85)
    # three worlds are won, the fourth is a tie of one win and one defeat
    rival = board.strongest(results, list(MAKERS))
    assert rival is not None
    np.testing.assert_allclose(rival, [[0.5, 0.5, 0.5, 0.85]] * 2)
    assert "P = 0.88" in table[0]["note"]
    assert "P = 0.00" in table[1]["note"]
    without = board.leaderboard(results, [name for name in MAKERS if name != "CartPole"], "")
    assert [row["label"] for row in without] == ["1. gem", "2. MAML", "3. dct"]


def test_an_unfinished_world_is_no_mean_of_the_others() -> None:
    results: board.Results = {arm: {} for arm in ARMS}
    results["gem"] = {"digits": _entries(0.9)}
    assert board.leaderboard(results, list(MAKERS), "") == []
    assert board.expected(results) == []
    world: World = WORLDS["digits"]
    row = board.entry_row(Cell("gem", world, QUICK), results["gem"]["digits"])
    assert row["measured"] == pytest.approx(0.9)
    assert "one seed" in row["note"]
