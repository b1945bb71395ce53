from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.chunks import Chunk
from evodev.evaluation import live_subjects, sample_lives
from evodev.experiment import Experiment
from evodev.fitness import Fitness
from evodev.fused import LIMIT, check_fused, live_fused, padded, resident
from evodev.learners import Gradient, Learner
from evodev.learners.hebbian import Hebbian
from evodev.lifetime import LifetimeLog
from evodev.organism import Organism
from evodev.search import Schedule, Search
from evodev.strategies import Strategy
from evodev.substrate import ACTIVATIONS, Population, Projection, Substrate, mlp
from evodev.tasks import Task
from tests.tiny import DIRECT, WHOLE, Blobs, Levers, Line, digits_experiment, random_network

GENOMES, LIVES = 3, 2
KEY = jax.random.key(0)


def fan(activations: tuple[str, ...]) -> Substrate:
    """Inputs, a population for each activation side by side, of sizes 3, 4, ..., and outputs."""
    hidden = tuple(Population(name, (3 + i,), activation=name) for i, name in enumerate(activations))
    ends = Population("input", (6,), activation="linear"), Population("output", (2,), activation="linear")
    pairs = [("input", p.name) for p in hidden] + [(p.name, "output") for p in hidden] + [("input", "output")]
    return Substrate((ends[0], *hidden, ends[1]), tuple(Projection(*pair) for pair in pairs))


@dataclass(frozen=True)
class Case:
    """What lives, and in what company."""

    substrate: Substrate
    learner: Gradient
    task: Task
    schedule: tuple[int, ...]
    chunk: Chunk = Chunk(GENOMES, LIVES)
    devices: int = 1


CASES = {
    "every activation, two tiles of probes": Case(fan(ACTIVATIONS), Gradient(), Blobs(shots=5, probes=9), (0, 1, 3, 5)),
    "values, on two devices": Case(
        mlp((1, 3, 17, 1), activation="tanh"), Gradient(loss="squared_error"), Line(), (0, 2, 3), Chunk(2, 1), 2
    ),
    "gates and a blank read-out": Case(
        mlp((6, 5, 3), blank_readout=True), Gradient(plastic="projection"), Blobs(ways=3, shots=4), (0, 4)
    ),
}


def logs(case: Case, subjects: Any, kernel: str) -> LifetimeLog:
    lives = sample_lives(case.task, "train", LIVES, key=KEY)
    return live_subjects(
        develop, subjects, case.learner, case.substrate, case.task, lives, case.schedule,
        key=KEY, stochastic=False, chunk=case.chunk, devices=case.devices, kernel=kernel,
    )  # fmt: skip


def develop(subject: Any, /, *, key: Any) -> Any:
    return subject


def subjects_of(case: Case) -> Any:
    """Networks with masks and biases, a dead neuron, plasticity gains, and rates of their own."""
    made = []
    for seed in range(GENOMES):
        network = random_network(case.substrate, seed, density=0.7)
        name, hidden = case.substrate.projections[0].name, case.substrate.populations[1].name
        network = replace(
            network,
            alive=network.alive | {hidden: network.alive[hidden].at[0].set(0.0)},
            biases={n: b + 0.1 * (seed + 1) for n, b in network.biases.items()},
            gains={name: 0.5 * jnp.ones_like(network.weights[name])},
        )
        spec = case.learner.genome_spec(case.substrate)
        made.append((network, spec.unpack(jax.random.normal(jax.random.key(seed), (spec.size,)))))
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *made)


def _assert_close(ours: Any, expected: Any) -> None:
    ours, expected = jax.device_get((ours, expected))
    assert jax.tree.structure(ours) == jax.tree.structure(expected)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=2e-5, atol=2e-6), ours, expected)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=pytest.mark.slow if name.startswith(("gates", "every")) else ())
        for name, case in CASES.items()
    ],
)
def test_a_life_in_one_kernel_is_the_same_life(case: Case) -> None:
    subjects = subjects_of(case)
    plain, fused = (logs(case, subjects, kernel) for kernel in ("plain", "fused"))
    assert plain.loss.shape == (GENOMES, LIVES, len(case.schedule))
    # something is learned, by each differently, so that the comparison says something
    assert float(jnp.abs(plain.loss[..., -1] - plain.loss[..., 0]).min()) > 1e-3
    assert not bool(plain.failed.any())
    _assert_close(fused, plain)


def test_what_is_not_finite_fails_the_life_and_padding_fails_none() -> None:
    """A relu that overflows in a tanh that saturates: the answers are finite, though infinity times a padded 0 is not."""
    populations = (Population("input", (6,)), Population("wild", (5,)), Population("tame", (3,), activation="tanh"))
    chain = (("input", "wild"), ("wild", "tame"), ("tame", "output"))
    substrate = Substrate(
        (*populations, Population("output", (2,), activation="linear")), tuple(Projection(*pair) for pair in chain)
    )
    case = Case(substrate, Gradient(), Blobs(shots=2), (0, 2))
    network, genes = jax.tree.map(lambda x: x[:1], subjects_of(case))
    network = replace(network, alive=jax.tree.map(jnp.ones_like, network.alive))
    own = network.weights
    huge = own | {"input->wild": 0 * own["input->wild"], "wild->tame": jnp.ones_like(own["wild->tame"])}
    overflowing = replace(network, weights=huge, biases=network.biases | {"wild": jnp.full((1, 5), jnp.inf)})
    broken = replace(network, weights=own | {"wild->tame": jnp.full_like(own["wild->tame"], jnp.nan)})
    together = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), network, overflowing, broken)
    subjects = (together, jax.tree.map(lambda x: jnp.repeat(x, 3, 0), genes))
    plain, fused = (logs(case, subjects, kernel) for kernel in ("plain", "fused"))
    assert np.isfinite(plain.loss[1, :, 0]).all()
    assert np.asarray(plain.failed).tolist() == [[False] * LIVES, [True] * LIVES, [True] * LIVES]
    _assert_close(fused, plain)


@pytest.mark.slow
def test_a_search_by_the_kernel_finds_the_same_champion() -> None:
    def champion(kernel: Any) -> Any:
        schedule = Schedule(generations=2, lives=2, validation_lives=2, block=2, probes=2, kernel=kernel)
        search = Search(Organism(WHOLE, DIRECT, Gradient()), Blobs(shots=2), Strategy("Open_ES", 4), schedule, devices=1)
        state, records = search.advance(search.start())
        return state.champion, records[-1]["validation_champion"]

    plain, fused = champion("plain"), champion("fused")
    _assert_close(fused, plain)
    assert np.isfinite(fused[1])


def test_a_kernel_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="schedule: kernel is 'fast'; one of plain, fused"):
        Schedule(kernel="fast")  # pyright: ignore[reportArgumentType]


RECURRENT = replace(WHOLE, ticks=2)
SHAPED = mlp((6, 5, 2))
SHAPED = replace(SHAPED, populations=(SHAPED.populations[0], replace(SHAPED.populations[1], winners=0.5), SHAPED.populations[2]))


@dataclass(frozen=True)
class InPhases(Blobs):
    """The same, told to be of two phases."""

    @property
    def phase_ends(self) -> tuple[int, ...]:
        return (4, 8)


@pytest.mark.parametrize(
    ("learner", "substrate", "task", "reason"),
    [
        (Hebbian(), WHOLE, Blobs(), "learner: Hebbian is not the gradient learner"),
        (Gradient("adam", momentum=0.5), WHOLE, Blobs(), "learner: optimiser, momentum must be as by default"),
        (Gradient(replay=1), WHOLE, Blobs(), "learner: replay must"),
        (Gradient(), RECURRENT, Blobs(), "substrate: it must be feedforward"),
        (Gradient(), SHAPED, Blobs(), "substrate: hidden1 must be without normalisation and winners"),
        (Gradient(), mlp((144, 64, 5)), Blobs(), "substrate: a life needs 90 KiB on chip, of at most 64"),
        (Gradient(), WHOLE, Levers(), "task: Levers acts"),
        (Gradient(), WHOLE, InPhases(), "task: InPhases has phases"),
    ],
)
def test_what_does_not_fit_the_kernel_is_refused(learner: Learner, substrate: Substrate, task: Task, reason: str) -> None:
    with pytest.raises(ValueError, match=rf"schedule: kernel 'fused' does not fit \({reason}.*; set schedule.kernel to plain"):
        check_fused(learner, substrate, task)


def test_an_experiment_refuses_before_it_runs() -> None:
    fused = digits_experiment(schedule=Schedule(kernel="fused"))
    with pytest.raises(ValueError, match=r"kernel 'fused' does not fit .fitness: it asks for more"):
        replace(fused, fitness=Fitness(traffic_cost=0.1))
    with pytest.raises(ValueError, match=r"kernel 'fused' does not fit .learner: Hebbian"):
        Experiment(fused.task, fused.substrate, fused.decoder, Hebbian(), schedule=fused.schedule)


def test_a_network_in_a_sparse_form_is_refused() -> None:
    sparse = replace(random_network(WHOLE), sources={"input->hidden1": jnp.zeros((2, 5), jnp.int32)})
    with pytest.raises(ValueError, match="kernel 'fused' has no sparse products; set form to dense"):
        live_fused(Gradient(), {}, sparse, WHOLE, Blobs(), Blobs().sample("train", key=KEY), (0, 1), key=KEY)


def test_what_a_life_holds_on_chip_is_counted_by_hand() -> None:
    assert [padded(n) for n in (1, 16, 17, 64)] == [16, 16, 32, 64]
    # 64 x 64 + 64 x 16 weights, and 17 rows (16 examples, biases) of 64 + 64 + 16 neurons
    assert resident(mlp((64, 50, 5)), batch=5) == 4 * (64 * 64 + 64 * 16 + 17 * 144)
    assert resident(mlp((64, 64, 64, 5)), batch=5) < LIMIT


def lowered(platform: str) -> Any:
    """The lives of genomes in one kernel, lowered for a platform that need not be here."""
    case = CASES["every activation, two tiles of probes"]
    life = jax.eval_shape(lambda: case.task.sample("train", key=KEY))
    many = jax.tree.map(lambda x: jax.ShapeDtypeStruct((LIVES, *x.shape), x.dtype), life)

    def all_lives(subjects: Any, lives: Any) -> LifetimeLog:
        def one(subject: Any, life: Any) -> LifetimeLog:
            return live_fused(case.learner, subject[1], subject[0], case.substrate, case.task, life, case.schedule, key=KEY)

        return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(subjects, lives)

    return jax.jit(all_lives).trace(jax.eval_shape(lambda: subjects_of(case)), many).lower(lowering_platforms=(platform,))


def test_the_kernel_lowers_for_cuda_into_valid_triton() -> None:
    from jaxlib.mlir import ir
    from jaxlib.triton import dialect

    calls: list[Any] = []

    def collect(operation: Any) -> Any:
        calls.append(operation)
        return ir.WalkResult.ADVANCE

    low = lowered("cuda")
    module = low.compiler_ir("stablehlo")
    module.operation.walk(lambda op: collect(op) if op.name == "stablehlo.custom_call" else ir.WalkResult.ADVANCE)
    assert [ir.StringAttr(op.attributes["call_target_name"]).value for op in calls] == ["__gpu$xla.gpu.triton"]
    # lowering does not check what it has built, reading it does
    config = calls[0].attributes["mhlo.backend_config"]
    assert (ir.IntegerAttr(config["grid_x"]).value, ir.IntegerAttr(config["grid_y"]).value) == (LIVES, GENOMES)
    with ir.Context() as context:
        dialect.register_dialect(context)
        context.load_all_available_dialects()
        assert ir.Module.parse(ir.StringAttr(config["ir"]).value_bytes).operation.verify()


def test_the_kernel_lowers_for_tpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from jax._src.pallas.mosaic import tpu_info

    # Mosaic asks the device what it is, and here is none
    monkeypatch.setitem(tpu_info.registry, "cpu", lambda: tpu_info.get_tpu_info_for_chip(tpu_info.ChipVersion.TPU_V5E, 1))
    assert "tpu_custom_call" in lowered("tpu").as_text()
