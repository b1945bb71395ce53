from dataclasses import replace
from typing import Any, cast, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.baselines import BASELINES, Setting
from evodev.baselines.decoded import ThroughDecoder
from evodev.baselines.meta import Initialisation, Inner, MetaLearned, MetaLearning, Method, Progress
from evodev.fitness import Fitness
from evodev.learners import Gradient
from evodev.lifetime import live
from evodev.organism import Organism
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.substrate import Population, Projection, Substrate, mlp
from evodev.tasks import Life
from tests.tiny import DIRECT, Blobs, Line, digits_experiment

WIRE = Substrate(
    (Population("input", (1,), activation="linear"), Population("output", (1,), activation="linear")),
    (Projection("input", "output"),),
)
"""y = w x + b."""
RATE, STEPS = 0.1, 2
TASK = Line(3.0, updates=STEPS)
ONES = Life(jnp.ones((STEPS, 2, 1)), 3 * jnp.ones((STEPS, 2, 1)), jnp.ones((4, 1)), 3 * jnp.ones((4, 1)))
"""Every input is 1 and every target is 3: then all that matters is w + b, and its error shrinks by 1 - 4 rate a step."""
FAMILY = get_args(Method)


def _slope(method: Method, weight: float) -> dict[str, float]:
    """Gradient of the loss at the end of that life in the genes of a wire of some weight and no bias."""
    meta = MetaLearning(method, objective="end")
    organism = meta.organism(WIRE, TASK)
    start = meta.start(organism, RATE, key=jax.random.key(0)).genome
    spec = organism.genome_spec
    genome = start.at[spec.slices["decoder/input->output/weight"]].set(weight)
    slope = jax.grad(lambda g: meta.loss(organism, TASK, (0, STEPS), g, ONES, key=jax.random.key(0)))(genome)
    return {name: float(value.sum()) for name, value in zip(spec.slices, (slope[s] for s in spec.slices.values()), strict=True)}


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        # loss (e s^2)^2 with e = w - 3 = -2 and s = 1 - 4 rate = .6
        ("maml", 2 * -2.0 * 0.6**4),
        ("first-order maml", 2 * -2.0 * 0.6**2),
        ("anil", 2 * -2.0 * 0.6**4),
        ("meta-sgd", 2 * -2.0 * 0.6**4),
        ("pretraining", 2 * -2.0),
        # half of what the sum has moved by, as weight and bias share it
        ("reptile", -(2.0 - 2.0 * 0.6**2) / 2),
    ],
)
def test_the_outer_gradient_is_the_one_worked_out_by_hand(method: Method, expected: float) -> None:
    slope = _slope(method, 1.0)
    for name in ("weight", "bias"):
        key = f"decoder/{'input->output' if name == 'weight' else 'output'}/{name}"
        assert slope[key] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("method", FAMILY)
def test_training_makes_lives_better_and_only_meta_sgd_learns_rates(method: Method) -> None:
    meta = MetaLearning(method, rate=0.05, lives=4)
    organism = meta.organism(WIRE, TASK)
    begun = meta.start(organism, RATE, key=jax.random.key(0))
    later, losses = meta.advance(organism, TASK, (0, STEPS), begun, 100, jax.random.key(1))
    assert losses.shape == (100,)

    def end(genome: jax.Array) -> float:
        network, genes = organism.develop(genome, key=jax.random.key(0))
        log = live(organism.learner, genes, network, WIRE, TASK, ONES, (0, STEPS), key=jax.random.key(0))
        return float(log.loss[-1])

    assert end(later.genome) < 0.2 * end(begun.genome)
    moved = {n: float(jnp.abs(later.genome - begun.genome)[s].max()) for n, s in organism.genome_spec.slices.items()}
    assert moved["decoder/input->output/weight"] > 0.1
    assert any(name.endswith("/gain") for name in moved) == (method == "meta-sgd")
    for name, change in moved.items():
        if name.startswith("learner/") or name.endswith("/gain"):
            assert (change > 0.001) == (method == "meta-sgd"), name


def test_steps_are_the_same_however_they_are_grouped() -> None:
    meta = MetaLearning("maml", lives=2)
    organism, key = meta.organism(WIRE, TASK), jax.random.key(1)
    begun = meta.start(organism, RATE, key=jax.random.key(0))
    whole, losses = meta.advance(organism, TASK, (0, STEPS), begun, 4, key)
    half, first = meta.advance(organism, TASK, (0, STEPS), begun, 2, key)
    rest, second = meta.advance(organism, TASK, (0, STEPS), half, 2, key)
    np.testing.assert_allclose(whole.genome, rest.genome, rtol=1e-5)
    np.testing.assert_allclose(losses, jnp.concatenate([first, second]), rtol=1e-5)
    assert int(rest.step) == 4


def test_only_the_head_changes_in_a_life_of_anil() -> None:
    substrate = mlp((6, 5, 2))
    organism = Organism(substrate, Initialisation(), Inner(head_only=True, log_rate=0.0))
    network, genes = organism.develop(organism.genome_spec.init(key=jax.random.key(0)), key=jax.random.key(0))
    life = Blobs().sample("train", key=jax.random.key(1))
    key = jax.random.key(0)
    state = organism.learner.init(genes, network, substrate, key=key)
    state = organism.learner.step(genes, state, life.inputs[0], life.targets[0], substrate, key=key)
    moved = {n: not np.array_equal(w, network.weights[n]) for n, w in state.network.weights.items()}
    moved |= {n: not np.array_equal(b, network.biases[n]) for n, b in state.network.biases.items()}
    assert moved == {"input->hidden1": False, "hidden1->output": True, "input": False, "hidden1": False, "output": True}


QUICK = ("first-order MAML", "Reptile", "MAML through the decoder")
"""A method of each kind; the others go the same way, and take as long to compile."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n, b in BASELINES.items() if isinstance(b, MetaLearned)],
)
def test_an_arm_spends_no_more_lives_than_the_champions_search(name: str) -> None:
    organism = digits_experiment().organism
    genome, task = organism.genome_spec.init(key=jax.random.key(0)), Blobs(features=64)
    schedule = Schedule(probes=2)
    setting = Setting(
        organism, genome, genome, 100, task, Strategy("Open_ES", 4), schedule, Fitness(), budget=120, evolve=False, seed=0
    )
    baseline = replace(cast(MetaLearned, BASELINES[name]), rates=(0.1, 1.0), block=2, validation=8)
    assert not baseline.routine
    assert baseline.applies(setting)
    lines: list[str] = []
    arm = baseline.build(name, setting, key=jax.random.key(0), say=lines.append)
    # a look costs 8 lives, a block 2 x 8: twice 8 + 2 (16 + 8)
    assert arm.tuning_lives == 112
    assert len(lines) == 6
    assert all(name in line for line in lines)
    network, genes = arm.develop(arm.subject, key=jax.random.key(0))
    life: Any = task.sample("test", key=jax.random.key(3))
    log = live(arm.learner, genes, network, arm.substrate, task, life, (0, 1, 8), key=jax.random.key(0))
    assert np.isfinite(np.asarray(log.loss)).all()
    own = isinstance(baseline, ThroughDecoder)
    sizes = [p.size for p in arm.substrate.populations]
    assert sizes == ([64, *baseline.hidden, 2] if baseline.hidden else [64, 4, 2])
    first = np.asarray(network.masks[arm.substrate.projections[0].name])
    assert first.mean() == pytest.approx(0.5 if own else 1, abs=0.02)
    assert arm.genome_size == (organism.genome_spec.size if own else arm.subject.size)


def test_the_champions_own_genome_is_moved_by_gradient_its_learner_too() -> None:
    organism, task = Organism(WIRE, DIRECT, Gradient(loss="squared_error")), Line(3.0, updates=STEPS)
    initial = organism.genome_spec.pack({g.name: jnp.full(g.shape, g.center) for g in organism.genome_spec.genes})
    setting = Setting(
        organism, initial, initial, 2, task, Strategy("Open_ES", 4), Schedule(probes=2), Fitness(), 10_000, evolve=False, seed=0
    )
    baseline = ThroughDecoder(rates=(0.05,), block=50, validation=8)
    look, genome, lives = baseline.trained("own", setting, key=jax.random.key(0), say=lambda line: None)
    assert lives <= 10_000
    assert look.step > 0
    assert look.fitness > -0.5  # a slope of 3 is to be told by a wire, from a loss of about 9
    moved = {name: float(jnp.abs(genome - initial)[where].max()) for name, where in organism.genome_spec.slices.items()}
    assert moved["decoder/wiring/input->output/weight"] > 0.1
    assert moved["learner/input->output/log_rate"] > 0.01


def test_stopping_is_by_held_out_classes_and_training_then_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = digits_experiment()
    organism, task = experiment.organism, experiment.task
    genome = organism.genome_spec.init(key=jax.random.key(0))
    setting = Setting(
        organism, genome, genome, 100, task, Strategy("Open_ES", 4), Schedule(probes=2), Fitness(), 60, evolve=False, seed=0
    )
    seen: list[tuple[Any, int]] = []

    def advance(self: Any, organism: Any, task: Any, schedule: Any, progress: Progress, steps: int, key: Any) -> Any:
        seen.append((task, steps))
        return progress._replace(genome=progress.genome + 1, step=progress.step + steps), None

    fitness = iter([-3.0, -1.0, -2.0])
    monkeypatch.setattr(MetaLearning, "advance", advance)
    monkeypatch.setattr("evodev.baselines.meta.fitness_of", lambda *args, **names: next(fitness))
    look, trained, lives = MetaLearned(rates=(0.1,), block=1, patience=1, validation=4).trained(
        "MAML", setting, key=jax.random.key(0), say=lambda line: None
    )
    # the fold twice, until it gets worse; then all classes for the one block that was best
    assert [steps for _, steps in seen] == [1, 1, 1]
    assert [own == task for own, _ in seen] == [False, False, True]
    assert seen[0][0] == task.folded()
    assert (look.fitness, look.step) == (-1.0, 1)
    assert lives == 3 * 4 + 2 * 8 + 1 * 8
    np.testing.assert_allclose(trained - look.plan.begun.genome, 1.0, rtol=1e-5)
