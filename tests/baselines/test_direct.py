import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.baselines import BASELINES, Setting
from evodev.baselines.direct import EvolvedWeights, RandomGenomes
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.direct import Direct
from evodev.fitness import Fitness
from evodev.organism import Organism
from evodev.search import Schedule, Search
from evodev.strategies import Strategy
from evodev.tasks import Task
from tests.tiny import CHAIN, DIRECT, Blobs, Line, digits_experiment, guesser

SCHEDULE = Schedule(generations=30, lives=2, validation_lives=2, block=5, probes=2)
KEY = jax.random.key(0)


def _setting(organism: Organism, task: Task, budget: int) -> Setting:
    genome = jnp.zeros(organism.genome_spec.size)
    return Setting(organism, genome, genome, 4, task, Strategy("Open_ES", 4), SCHEDULE, Fitness(), budget, evolve=False, seed=0)


@pytest.mark.parametrize(
    ("name", "sizes"), [("ES on direct weights", [64, 4, 2]), ("ES on direct weights, narrow", [64, 128, 64, 2])]
)
def test_every_weight_is_a_gene_and_the_learner_the_champions(name: str, sizes: list[int]) -> None:
    setting = _setting(digits_experiment().organism, Blobs(features=64), 100)
    baseline = BASELINES[name]
    assert isinstance(baseline, EvolvedWeights)
    assert baseline.applies(setting)
    organism = baseline.organism(setting)
    assert organism.learner == setting.organism.learner
    assert [p.size for p in organism.substrate.populations] == sizes
    read = organism.substrate.into("output")
    assert all(p.blank for p in read)
    numbers = sum(a * b + b for a, b in map(organism.substrate.shape, organism.substrate.grown))
    assert organism.decoder.genome_spec(organism.substrate).size == numbers
    assert organism.decoder == type(DIRECT)(CellTypes(), Direct(), AllSynapses())


def test_the_search_of_weights_stays_within_the_champions_lives(one_device: None) -> None:
    # a block of five generations is 5 x 4 x 2 lives, and 2 x 2 to validate: 100 is enough for eleven generations
    setting = _setting(digits_experiment().organism, Blobs(features=64, shots=2), 100)
    lines: list[str] = []
    arm = BASELINES["ES on direct weights"].build("ES", setting, key=KEY, say=lines.append)
    assert (len(lines), arm.tuning_lives) == (3, 11 * 8 + 3 * 4)
    assert arm.genome_size == arm.subject.size
    network, _ = arm.develop(arm.subject, key=KEY)
    assert np.asarray(network.masks["input->hidden"]).all()


def test_a_champion_of_direct_weights_is_not_evolved_again() -> None:
    setting = _setting(guesser(), Line(), 100)
    assert not BASELINES["ES on direct weights"].applies(setting)
    assert BASELINES["ES on direct weights, narrow"].applies(setting)


def test_random_search_returns_the_best_of_what_it_drew(monkeypatch: pytest.MonkeyPatch, one_device: None) -> None:
    organism = guesser()  # answers guess x input, and the slope is 1
    setting = _setting(organism, Line(), 30 * 8 + 6 * 4)
    drawn: list[np.ndarray] = []
    evaluate = Search.evaluate

    def noted(self: Search, genomes: jax.Array, *args, **names):
        jax.debug.callback(lambda g: drawn.append(np.asarray(g)), genomes)
        return evaluate(self, genomes, *args, **names)

    monkeypatch.setattr(Search, "evaluate", noted)
    arm = RandomGenomes().build("random search", setting, key=KEY, say=lambda line: None)
    jax.effects_barrier()
    assert arm.tuning_lives == 30 * 8 + 6 * 2 <= setting.budget
    tried = np.concatenate([genomes for genomes in drawn if len(genomes) == 4])
    assert len(tried) == 120
    assert len(np.unique(tried[:, -1])) == 120
    guess = organism.genome_spec.slices["learner/guess"].start
    errors = np.abs(tried[:, guess] - 1)
    assert abs(float(arm.subject[guess]) - 1) <= np.sort(errors)[5]  # one of the blocks' best, of six


def test_the_learner_must_be_able_to_live_on_a_plain_perceptron() -> None:
    setting = _setting(Organism(CHAIN, DIRECT, digits_experiment().learner), Blobs(), 100)
    assert not BASELINES["ES on direct weights"].applies(setting)
    assert BASELINES["random search"].applies(setting)
