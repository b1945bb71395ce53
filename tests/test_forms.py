from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev import forms
from evodev.chunks import Chunk
from evodev.decoders import DECODERS, Decoder
from evodev.decoders.base import Sparsity, Wires
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.refinement.spontaneous import SpontaneousActivity
from evodev.decoders.sparsity import Budget, FanIn
from evodev.decoders.wiring.direct import Direct
from evodev.evaluation import live_subjects, sample_lives
from evodev.experiment import from_plain, to_plain
from evodev.forms import WIDTHS, Crossover, Form, choose_forms, crossovers, rooms, speedup
from evodev.learners import ActorCritic, Gradient, Hebbian, HebbianRule, Learner, Structural
from evodev.learners.gradient import OPTIMISERS
from evodev.network import synapses
from evodev.organism import Organism
from evodev.sparse import scatter
from evodev.substrate import Substrate, mlp
from tests.tiny import CHAIN, DIRECT, GRID, Blobs, digits_experiment

THIN = Decoder(CellTypes(), Direct(), FanIn(2))
"""Two inputs a neuron."""

EXPRESSIVE = replace(THIN, wiring=Direct(channels=("gain", "plastic")))
DEEP = mlp((6, 16, 16, 2))


def _lives(organism: Organism) -> tuple:
    """Logs of three genomes on two lives."""
    task = Blobs(features=organism.substrate.input.size, shots=3)
    genomes = jax.vmap(lambda key: organism.genome_spec.init(key=key))(jax.random.split(jax.random.key(0), 3))
    log = live_subjects(
        organism.hatch, genomes, organism.learner, organism.substrate, task,
        sample_lives(task, "train", 2, key=jax.random.key(1)), (0, 1, 3),
        key=jax.random.key(2), stochastic=False, chunk=Chunk(3, 2), ledger=True,
    )  # fmt: skip
    return log.loss, log.score, log.synapses, log.operations, log.energy


@pytest.mark.parametrize(
    ("form", "decoder", "learner", "substrate"),
    [
        ("gather", EXPRESSIVE, Gradient("adam", log_rate=-1.0, plastic="synapse", momentum=0.5), DEEP),
        ("block", replace(THIN, sparsity=FanIn(1)), Gradient(log_rate=0.0, replay=1), mlp((40, 32, 2))),
        pytest.param("gather", THIN, Hebbian(), CHAIN, marks=pytest.mark.slow),
        pytest.param("gather", DECODERS["retinotopic"], Gradient(), GRID, marks=pytest.mark.slow),
    ],
    ids=["gather, adam, plastic synapses", "block, replay", "read-out only", "windows"],
)
def test_a_life_is_the_same_in_every_form(form: str, decoder: Decoder, learner: Learner, substrate: Substrate) -> None:
    dense = Organism(substrate, decoder, learner)
    sparse = replace(dense, form=form)
    born, _ = jax.jit(sparse.hatch)(dense.genome_spec.init(key=jax.random.key(0)), key=jax.random.key(3))
    assert born.sources
    for name, own in born.sources.items():
        assert born.weights[name].shape == (own.shape[1], own.shape[0] * WIDTHS[form]) == born.masks[name].shape
    expected, got = _lives(dense), _lives(sparse)
    assert np.ptp(expected[0]) > 1e-3
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), got, expected)


def test_a_network_in_a_sparse_form_is_the_one_that_was_developed() -> None:
    organism = Organism(DEEP, EXPRESSIVE, Gradient(plastic="synapse"), "gather")
    genome = organism.genome_spec.init(key=jax.random.key(5))
    (hatched, _), (developed, _) = (jax.jit(grow)(genome, key=jax.random.key(0)) for grow in (organism.hatch, organism.develop))
    assert set(hatched.sources) == {p.name for p in DEEP.projections}
    assert int(synapses(hatched)) == int(synapses(developed)) == 2 * (16 + 16 + 2)
    for p in DEEP.projections:
        pre, name = DEEP.shape(p)[0], p.name
        np.testing.assert_array_equal(scatter(hatched.weights[name], hatched.sources[name], pre), developed.weights[name])
        kept = scatter(hatched.gains[name], hatched.sources[name], pre)
        np.testing.assert_array_equal(kept, developed.gains[name] * developed.masks[name])
    assert developed.sources == {}


@pytest.mark.parametrize(
    "sparsity",
    [FanIn(2), Budget(0.9, per_neuron=True), Budget(0.5)],
    ids=str,
)
@pytest.mark.parametrize("windowed", [False, True])
def test_no_neuron_has_more_inputs_than_the_most(sparsity: Sparsity, windowed: bool) -> None:
    substrate = mlp((6, 5, 4, 2), blank_readout=True)
    rng = np.random.default_rng(0)
    windows = {p.name: rng.random(substrate.shape(p)) < 0.7 for p in substrate.grown[:1]} if windowed else {}
    most = {p.name: sparsity.most_inputs(p, windows, substrate) for p in substrate.grown}
    spec = sparsity.genome_spec(windows, substrate)
    select = jax.jit(lambda genome, logits: sparsity.select(
        spec.unpack(genome), Wires(logits, {}, {}, {}), windows, substrate, key=jax.random.key(0)
    ))  # fmt: skip
    reached = dict.fromkeys(most, 0)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        logits = {p.name: jnp.asarray(rng.normal(size=substrate.shape(p)), jnp.float32) for p in substrate.grown}
        # genomes so wild that one projection takes all that it can
        masks = select(jnp.asarray(rng.normal(size=spec.size) * 20, jnp.float32), logits)
        reached = {name: max(so_far, int(masks[name].sum(0).max())) for name, so_far in reached.items()}
    assert all(reached[name] <= most[name] for name in most), (reached, most)
    assert any(reached[name] == most[name] for name in most), (reached, most)


@pytest.mark.parametrize(
    "learner",
    [Structural(), HebbianRule(), Gradient(OPTIMISERS["sgd"]()), ActorCritic(Gradient(OPTIMISERS["adam"]()))],
    ids=["rewires", "reads rows and columns", "an optimiser of somebody else's", "the same, acting"],
)
def test_learners_that_need_matrices_get_them(learner: Learner, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = {use: [Crossover(1, 1, 1, 1, 9.0)] for use in ("answer", "learn", "back")}
    monkeypatch.setattr(forms, "crossovers", lambda: {jax.default_backend(): everything})
    assert choose_forms("auto", THIN, learner, mlp((6, 5, 2)), batch=1) == {}
    assert choose_forms("auto", THIN, Gradient(), mlp((6, 5, 2)), batch=1) != {}
    with pytest.raises(ValueError, match="form: gather is possible in no projection"):
        choose_forms("gather", THIN, learner, mlp((6, 5, 2)), batch=1)


def test_nothing_is_known_of_a_refined_network_nor_of_a_baseline() -> None:
    refined = replace(THIN, refinement=(SpontaneousActivity(),))
    assert rooms(refined, DEEP, 1) == {}
    assert rooms(THIN, DEEP, 1) == {"input->hidden1": 2, "hidden1->hidden2": 2, "hidden2->output": 2}
    assert rooms(DIRECT, DEEP, 1) == {}
    # sixteen neurons of two inputs each may have up to 32 between them; ten neurons are no sixteen
    assert rooms(THIN, mlp((40, 32, 10)), 16) == {"input->hidden1": 32}
    assert choose_forms("auto", object(), Gradient(), DEEP, batch=1) == {}


def test_a_form_is_chosen_by_the_measurement_that_is_next_and_on_the_safe_side() -> None:
    rows = [
        Crossover(1, 256, 16, 8, 2.0),
        Crossover(1, 512, 32, 8, 4.0),
        Crossover(1, 512, 32, 32, 0.5),
        Crossover(16, 64, 32, 8, 3.0),
    ]
    assert speedup(Form(16, 1), 784, 800, 8, rows) == 4.0  # as sparse as that, and larger
    assert speedup(Form(16, 1), 784, 800, 9, rows) == 0.5  # a larger batch
    assert speedup(Form(16, 1), 784, 800, 9, [rows[1], rows[2]._replace(speedup=5.0)]) == 4.0  # between two batches
    assert speedup(Form(16, 1), 784, 300, 8, rows) == 2.0
    assert speedup(Form(100, 1), 784, 800, 8, rows) == 0.0  # nothing was measured as dense as this
    assert speedup(Form(16, 1), 784, 10, 8, rows) == 0.0
    assert speedup(Form(16, 1), 784, 800, 64, rows) == 0.0
    assert speedup(Form(16, 1), 784, 800, 5, rows) == 0.0  # no batch as small was measured
    assert speedup(Form(32, 16), 784, 800, 8, rows) == 3.0


def test_auto_takes_the_fastest_form_of_each_projection_by_what_a_life_does_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    substrate = mlp((64, 32, 32, 10))
    table = {
        "learn": [Crossover(1, 16, 8, 5, 3.0), Crossover(16, 16, 16, 5, 2.0)],
        "back": [Crossover(1, 16, 8, 5, forms.MARGIN - 0.1)],
        "answer": [Crossover(16, 16, 16, 50, 2.0)],
    }
    monkeypatch.setattr(forms, "crossovers", lambda: {jax.default_backend(): table})
    assert choose_forms("auto", THIN, Gradient(), substrate, batch=5) == {"input->hidden1": Form(2, 1)}
    readout = replace(substrate, projections=(*substrate.projections[:2], replace(substrate.projections[2], blank=True)))
    assert choose_forms("auto", THIN, Hebbian(), readout, batch=50) == {"input->hidden1": Form(32, 16)}
    assert choose_forms("auto", THIN, Hebbian(), readout, batch=51) == {}
    monkeypatch.setattr(forms, "crossovers", dict)
    assert choose_forms("auto", THIN, Gradient(), substrate, batch=5) == {}


def test_the_shipped_table_is_of_measurements_that_can_be() -> None:
    assert "cpu" in crossovers()
    for uses in crossovers().values():
        assert set(uses) == {"answer", "learn", "back"}
        for row in (row for rows in uses.values() for row in rows):
            assert row.width in WIDTHS.values()
            assert 0 < row.inputs <= row.neurons
            assert row.speedup > 0


def test_an_experiment_says_its_form() -> None:
    experiment = digits_experiment(decoder=THIN)
    assert experiment.form == experiment.organism.form == "auto"
    assert from_plain(type(experiment), to_plain(replace(experiment, form="gather"))).organism.form == "gather"
    with pytest.raises(ValueError, match=r"form: gather is possible in no projection; .* use form auto"):
        digits_experiment(form="gather")
    fused = replace(experiment, schedule=replace(experiment.schedule, kernel="fused"))
    assert fused.organism.form == "dense"
    with pytest.raises(ValueError, match=r"form: gather is not for schedule\.kernel fused"):
        replace(fused, form="gather")
    with pytest.raises(ValueError, match=r"config\.form: unknown name 'gathr'; did you mean 'gather'"):
        from_plain(type(experiment), to_plain(experiment) | {"form": "gathr"})
