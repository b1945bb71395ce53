"""The search: ask -> evaluate -> tell, in blocks of generations."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from evodev.chunks import Chunk, choose_chunk
from evodev.devices import device_count, division, everywhere, mesh_of
from evodev.evaluation import evaluate_organism, sample_lives
from evodev.fitness import Fitness
from evodev.fused import Kernel
from evodev.health import examine
from evodev.lifetime import LifetimeLog, probe_steps
from evodev.memory import Forecast, forecast, size_of
from evodev.organism import Organism
from evodev.strategies import Strategy, strong
from evodev.tasks import Split, Task
from evodev.types import Array, Count, Genome, Genomes, Key, Scalar


@struct.dataclass
class SearchState:
    """Everything that a search carries from block to block; a checkpoint is exactly this.

    ``strategy`` is evosax's state; ``initial`` the genome that the search started from; ``centroid`` and ``best`` the
    centre of the search and the best genome of the last generation; ``champion`` the best on validation so far, with
    its ``champion_validation`` fitness and the generation that found it.
    """

    strategy: Any
    generation: Count
    initial: Genome
    centroid: Genome
    best: Genome
    champion: Genome
    champion_validation: Scalar
    champion_generation: Count
    champion_is_centroid: Array


Precision = Literal["default", "bfloat16", "tensorfloat32", "float32"]


@dataclass(frozen=True)
class Schedule:
    """How long and on how many lives.

    Attributes:
        generations: of the whole search.
        lives: train lives a genome, each generation.
        validation_lives: lives on which centroid and best are scored after each block; the same throughout.
        block: generations compiled into one device program.
        probes: moments after birth at which a life is probed, at most.
        chunk: genomes evaluated together; 0 chooses by cache or memory.
        kernel: how a life is computed: ``plain``, step by step; ``fused``, all in one kernel with the weights on chip, for plain
            gradient learners on small feedforward networks (interpreted, and slow, on a CPU; not yet measured elsewhere).
        keep: checkpoints kept: the newest, and others to fall back on.
        precision: of matrix products, in search and comparison, as jax understands it: ``default`` leaves it to jax, ``bfloat16``
            is the fastest that a device has (bfloat16 on a TPU, tensorfloat32 on a GPU), ``tensorfloat32`` the next,
            ``float32`` the same everywhere. A CPU computes in float32 whatever is asked for.
    """

    generations: int = 300
    lives: int = 8
    validation_lives: int = 64
    block: int = 10
    probes: int = 8
    chunk: int = 0
    kernel: Kernel = "plain"
    keep: int = 3
    precision: Precision = "default"

    def __post_init__(self) -> None:
        for name in ("generations", "lives", "validation_lives", "block", "probes", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"schedule: {name} must be at least 1, given {getattr(self, name)}")
        if self.chunk < 0:
            raise ValueError(f"schedule: chunk must be 0 (choose for me) or more, given {self.chunk}")
        if self.kernel not in get_args(Kernel):
            raise ValueError(f"schedule: kernel is {self.kernel!r}; one of {', '.join(get_args(Kernel))}")
        if self.precision not in get_args(Precision):
            raise ValueError(f"schedule: precision is {self.precision!r}; one of {', '.join(get_args(Precision))}")

    def products(self) -> contextlib.AbstractContextManager[Any]:
        """What is traced within it computes matrix products in the schedule's precision."""
        return contextlib.nullcontext() if self.precision == "default" else jax.default_matmul_precision(self.precision)


class Search:
    """A search over the genomes of one organism on one task.

    Lives are common to all genomes of a generation and fresh in every generation; the keys of generation ``g`` come
    from ``fold_in(key(seed), g)``, so that a resumed search is the search that was never stopped.
    """

    def __init__(
        self,
        organism: Organism,
        task: Task,
        strategy: Strategy,
        schedule: Schedule,
        *,
        fitness: Fitness | None = None,
        seed: int = 0,
        devices: int | None = None,
    ) -> None:
        self.organism, self.task, self.strategy, self.schedule = organism, task, strategy, schedule
        self.fitness = fitness or Fitness()
        self.spec = organism.genome_spec
        self.algorithm, self.params = strategy.build(self.spec.size, schedule.generations)
        self.population = strategy.population // getattr(self.algorithm, "num_populations", 1)
        self.population *= getattr(self.algorithm, "num_populations", 1)
        self.devices = devices or device_count(self.population * schedule.lives)
        shares = division(self.devices, self.population, schedule.lives)
        subjects, lives = -(-self.population // shares[0]), -(-schedule.lives // shares[1])
        best = choose_chunk(organism, task, subjects=subjects, lives=lives)
        self.chunk = Chunk(schedule.chunk, schedule.lives) if schedule.chunk else best
        self._everywhere = everywhere(mesh_of(shares))
        self.probe_steps = probe_steps(task.steps, schedule.probes)
        self.root = jax.random.key(seed)

    def lives_at(self, generation: int) -> int:
        """Lives lived by the end of a generation count: training, and validation after each block."""
        blocks = -(-generation // self.schedule.block)
        first = self.population * self.schedule.lives if self.strategy.is_population_based else 0
        return first + generation * self.population * self.schedule.lives + blocks * 2 * self.schedule.validation_lives

    def start(self, initial: Genome | None = None) -> SearchState:
        """State before the first generation, at a given genome or at a random one."""
        if initial is not None and initial.shape != (self.spec.size,):
            raise ValueError(f"genome: expected {self.spec.size} numbers to start from, given shape {initial.shape}")
        return self._compiled(self._start)(self.root, initial)

    def forecast(self) -> Forecast:
        """Memory that the generations will need, before anything is compiled; the population itself is the least."""
        state = jax.eval_shape(self._start, self.root, None)
        traced = self._generations.trace(self.root, state, self.schedule.block)
        least = 4 * self.population * self.spec.size + sum(size_of(x) for x in jax.tree.leaves(state))
        return forecast(traced.jaxpr, least=least, devices=self.devices)

    def advance(self, state: SearchState) -> tuple[SearchState, list[dict[str, Any]]]:
        """Run one block (or what is left); returns one record a generation, the last with validation scores.

        With objectives, the last also holds ``front``: the different points of the first front of that generation.
        """
        count = min(self.schedule.block, self.schedule.generations - int(state.generation))
        if count < 1:
            raise ValueError(f"search: all {self.schedule.generations} generations are done; ask for more generations")
        begin = int(state.generation)
        # a fresh, a restored and a carried state enter the same program, laid out alike: bit for bit needs that
        state = jax.device_get(state)
        state, history = self._generations(self.root, state, count)
        state, validation = self._validated(self.root, state)
        history, validation = jax.device_get((history, validation))
        first, objectives = history.pop("front", None), history.pop("objectives", None)
        records: list[dict[str, Any]] = [
            {
                "generation": begin + i + 1,
                "lives": self.lives_at(begin + i + 1),
                **{name: float(values[i]) for name, values in history.items()},
            }
            for i in range(count)
        ]
        records[-1] |= {name: float(value) for name, value in validation.items()}
        if first is not None:
            # sorted by the first objective, the best first
            points = np.unique(objectives[count - 1][first[count - 1]], axis=0)[::-1]
            records[-1]["front"] = [dict(zip(self.fitness.objectives, point.tolist(), strict=True)) for point in points]
        return state, records

    def run(self, state: SearchState | None = None) -> Iterator[tuple[SearchState, list[dict[str, Any]]]]:
        """Blocks until the last generation, from a state or from the start."""
        state = self.start() if state is None else state
        while int(state.generation) < self.schedule.generations:
            state, records = self.advance(state)
            yield state, records

    def evaluate(
        self, genomes: Genomes, split: Literal["train", "validation", "test"], lives: int, *, key: Key
    ) -> tuple[Array, Array, Array]:
        """Fitness (genomes, lives), failed (genomes, lives) and density (genomes,) on fresh lives of a family."""
        log = self._lived(genomes, split, lives, key=key)
        density = log.synapses.mean(1) / self.organism.substrate.synapses
        return self.fitness(log, self.probe_steps), log.failed, density

    def _lived(self, genomes: Genomes, split: Split, lives: int, *, key: Key) -> LifetimeLog:
        """Logs (genomes, lives) of fresh lives of a family."""
        key_lives, key_run = jax.random.split(key)
        with self.schedule.products():
            return evaluate_organism(
                self.organism,
                genomes,
                self.task,
                sample_lives(self.task, split, lives, key=key_lives),
                self.probe_steps,
                key=key_run,
                chunk=self.chunk,
                devices=self.devices,
                ledger=self.fitness.needs_ledger,
                online=self.fitness.needs_online,
                kernel=self.schedule.kernel,
            )

    def _start(self, root: Key, initial: Genome | None) -> SearchState:
        if initial is None:
            initial = self.spec.init(key=jax.random.fold_in(root, 0x9E57))
        key = jax.random.fold_in(root, 0x5747A27)
        key_population, key_lives, key_strategy = jax.random.split(key, 3)
        if self.strategy.is_population_based:
            noise = jax.random.normal(key_population, (self.population, self.spec.size))
            genomes = initial + jnp.concatenate([jnp.zeros((1, self.spec.size)), self.strategy.sigma * noise[1:]])
            log = self._lived(genomes, "train", self.schedule.lives, key=key_lives)
            merit = self.fitness.merit(log, self.probe_steps)
            strategy = self.algorithm.init(key_strategy, genomes, -merit, self.params)
        else:
            many = getattr(self.algorithm, "num_populations", None)
            spread = self.strategy.sigma * jax.random.normal(key_population, (many or 1, self.spec.size))
            mean = initial if many is None else initial + spread
            strategy = self.algorithm.init(key_strategy, mean, self.params)
        zero = jnp.zeros((), jnp.int32)
        # a copy each: the block donates its state, and one buffer cannot be donated twice
        copy = [initial + 0.0 for _ in range(3)]
        state = SearchState(
            strategy=strategy,
            generation=zero,
            initial=initial,
            centroid=copy[0],
            best=copy[1],
            champion=copy[2],
            champion_validation=jnp.asarray(-jnp.inf),
            champion_generation=zero,
            champion_is_centroid=jnp.asarray(True),
        )
        return strong(state)

    # Two programs: the first generation does not wait for the second to be compiled. The root is told, not known: searches
    # that differ in their seed alone are one program; and so is how many generations to go, up to a block.

    @cached_property
    def _generations(self) -> Any:
        return self._compiled(self._run_generations, donate_argnums=1)

    @cached_property
    def _validated(self) -> Any:
        return self._compiled(self._validate, donate_argnums=1)

    def _compiled(self, function: Callable[..., Any], **options: Any) -> Any:
        """Whole in and whole out on every device: a search of many processes is the same in each."""
        return jax.jit(function, in_shardings=self._everywhere, out_shardings=self._everywhere, **options)

    def _run_generations(self, root: Key, state: SearchState, count: Count) -> tuple[SearchState, dict[str, Array]]:
        generation = jax.jit(self._generation)  # traced once, for its shapes and for the loop

        def turn(i: Count, carry: tuple[SearchState, dict[str, Array]]) -> tuple[SearchState, dict[str, Array]]:
            state, record = generation(root, carry[0])
            return state, jax.tree.map(lambda all_of, one: all_of.at[i].set(one), carry[1], record)

        record = generation.eval_shape(root, state)[1]
        history = jax.tree.map(lambda x: jnp.zeros((self.schedule.block, *x.shape), x.dtype), record)
        return jax.lax.fori_loop(0, count, turn, (state, history))

    def _validate(self, root: Key, state: SearchState) -> tuple[SearchState, dict[str, Array]]:
        candidates = jnp.stack([state.centroid, state.best])
        key = jax.random.fold_in(root, 0x7A11DA7E)
        fitness, failed, _ = self.evaluate(candidates, "validation", self.schedule.validation_lives, key=key)
        score = fitness.mean(1)
        winner = score.argmax()
        better = score[winner] > state.champion_validation
        state = replace(
            state,
            champion=jnp.where(better, candidates[winner], state.champion),
            champion_validation=jnp.where(better, score[winner], state.champion_validation),
            champion_generation=jnp.where(better, state.generation, state.champion_generation),
            champion_is_centroid=jnp.where(better, winner == 0, state.champion_is_centroid),
        )
        validation = {
            "validation_centroid": score[0],
            "validation_best": score[1],
            "validation_champion": state.champion_validation,
            "validation_failed": failed.mean(),
        }
        return strong(state), validation

    def _generation(self, root: Key, state: SearchState) -> tuple[SearchState, dict[str, Array]]:
        key = jax.random.fold_in(jax.random.fold_in(root, 1), state.generation)
        key_ask, key_lives, key_tell = jax.random.split(key, 3)
        genomes, strategy = self.algorithm.ask(key_ask, state.strategy, self.params)
        flat = genomes.reshape(-1, self.spec.size)
        log = self._lived(flat, "train", self.schedule.lives, key=key_lives)
        fitness = self.fitness(log, self.probe_steps).mean(1)
        merit = self.fitness.merit(log, self.probe_steps)
        strategy, _ = self.algorithm.tell(key_tell, genomes, -merit.reshape(genomes.shape[:-1]), strategy, self.params)
        told = self.fitness.trade_off(log, self.probe_steps) if self.fitness.objectives else merit[:, None]
        sigmas = self.strategy.sigma, self.strategy.sigma_final
        strategy, signs = examine(state.strategy, strategy, told, genomes, log, sigmas)
        centre = strategy.population if self.strategy.is_population_based else strategy.mean
        record = {
            "fitness_min": fitness.min(),
            "fitness_mean": fitness.mean(),
            "fitness_max": fitness.max(),
            "density": (log.synapses.mean(1) / self.organism.substrate.synapses).mean(),
            "genome_norm": jnp.nan_to_num(jnp.linalg.norm(centre.reshape(-1, self.spec.size).mean(0))),
            **signs,
        }
        if self.fitness.objectives:
            first = merit >= 0
            record |= {"front": first, "objectives": told}
        best = jnp.where(first, fitness, -jnp.inf).argmax() if self.fitness.objectives else fitness.argmax()
        state = replace(
            state,
            strategy=strategy,
            generation=state.generation + 1,
            centroid=centre.reshape(-1, self.spec.size).mean(0),
            best=jnp.where(signs["flat"], state.best, flat[best]),  # of equals none is the best, and all may have diverged
        )
        return strong(state), record
