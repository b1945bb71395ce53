from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.baselines import BASELINES, Setting
from evodev.baselines.distilled import Distilled, Worn, advance, answers, mismatch
from evodev.baselines.meta import MetaLearning, Progress
from evodev.evaluation import sample_lives
from evodev.fitness import Fitness
from evodev.learners import Gradient
from evodev.measurement import live_arm
from evodev.organism import Organism
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.substrate import mlp
from tests.tiny import CHAIN, DIRECT, Blobs, Line

KEY = jax.random.key(0)
SETTING = Setting(
    Organism(CHAIN, DIRECT, Gradient()), jnp.zeros(1), jnp.zeros(1), 20, Blobs(shots=2), Strategy("Open_ES", 4),
    Schedule(probes=2), Fitness(), 200, evolve=False, seed=0,
)  # fmt: skip


def test_a_mismatch_is_none_only_where_both_say_the_same() -> None:
    teacher, shifted, other = jnp.array([[0.0, 1.0]]), jnp.array([[3.0, 4.0]]), jnp.array([[1.0, 0.0]])
    assert float(mismatch("classification", shifted, teacher)) == pytest.approx(0, abs=1e-6)
    p = 1 / (1 + np.exp(-1))  # log-odds of 1 for the second class; their difference is 2 p - 1 a nat
    assert float(mismatch("classification", other, teacher)) == pytest.approx(2 * p - 1, rel=1e-4)
    assert float(mismatch("regression", other, teacher)) == pytest.approx(1.0)


def test_a_student_with_fewer_synapses_comes_to_answer_as_its_teacher() -> None:
    # a teacher of y = 2 a in two inputs, of which the student has only the first; with rates of nothing no life changes them
    substrate, task, meta = mlp((1, 2, 1), activation="linear"), Line(2.0), MetaLearning("maml", rate=0.05, lives=4)
    organism = meta.organism(substrate, task)
    key = jax.random.key(1)
    spec = organism.genome_spec
    values = spec.unpack(meta.start(organism, 1e-6, key=key).genome)
    teacher = spec.pack(
        values | {"decoder/input->hidden1/weight": jnp.ones((1, 2)), "decoder/hidden1->output/weight": jnp.ones((2, 1))}
    )
    masks = {"input->hidden1": jnp.array([[1.0, 0.0]]), "hidden1->output": jnp.ones((2, 1))}
    begun = Progress(spec.pack(values), meta.optimiser.init(teacher), jnp.zeros((), jnp.int32))
    later, history = advance(meta, organism, task, teacher, masks, begun, 150, key)
    assert float(history[0]) > 0.3
    assert float(history[-1]) < 0.01
    life: Any = task.sample("test", key=key)
    said = answers(organism, Worn(organism)((later.genome, masks), key=key), life, key=key)
    np.testing.assert_allclose(said[-1], 2 * life.probe_inputs, atol=0.3)
    rates = spec.slices["learner/input->hidden1/log_rate"]
    assert later.genome[rates] == teacher[rates]
    network, _ = Worn(organism)((later.genome, masks), key=key)
    assert float(network.weights["input->hidden1"][0, 1]) == 0


def test_the_student_has_the_champions_synapses_and_both_lives_are_counted() -> None:
    registered = BASELINES["distilled from a dense teacher"]
    assert isinstance(registered, Distilled)
    baseline = replace(registered, block=1, validation=4)
    assert baseline.applies(SETTING)
    assert not baseline.applies(replace(SETTING, synapses=CHAIN.synapses))
    arm = baseline.build("distilled", SETTING, key=KEY, say=lambda line: None)
    # the teacher: a third of a hundred lives for each of three rates, a look at 4 and two more at 8 + 4 each
    # the student: four steps of 2 x 8, and five looks
    assert arm.tuning_lives == 3 * (4 + 2 * 12) + (5 * 4 + 4 * 16)
    log = live_arm(arm, SETTING, sample_lives(SETTING.task, "test", 4, key=KEY), key=KEY)
    np.testing.assert_array_equal(log.synapses, 20)
    assert np.isfinite(log.loss).all()
