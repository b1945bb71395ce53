"""The search: ask -> evaluate -> tell, in blocks of generations. The only module that imports evosax.

evosax minimises and calls a genome a solution; both end here.
"""

import difflib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from evosax.algorithms import distribution_based_algorithms, population_based_algorithms
from flax import struct

from evodev.evaluation import Chunk, choose_chunk, device_count, evaluate_organism, sample_lives
from evodev.fitness import Fitness
from evodev.lifetime import LifetimeLog, probe_steps
from evodev.organism import Organism
from evodev.tasks import Split, Task
from evodev.types import Array, Count, Genome, Genomes, Key, Scalar

STRATEGIES: dict[str, Any] = {**distribution_based_algorithms, **population_based_algorithms}
"""Every evosax algorithm by name."""


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


@dataclass(frozen=True)
class Strategy:
    """An evolution strategy of evosax by name, with its parameters.

    Rates decay exponentially to ``*_final`` over the run. What a strategy has no use for is ignored, except that
    ``options`` must all be known to it.

    Attributes:
        name: any evosax algorithm; case, ``-`` and ``_`` do not matter.
        population: genomes a generation.
        sigma: mutation strength at the start, in search units (``std_schedule`` or ``std_init``).
        sigma_final: mutation strength at the end, for strategies with a ``std_schedule``.
        learning_rate: of the Adam that moves the mean, for strategies with an optimizer of their own choosing.
        learning_rate_final: the rate at the end.
        options: further parameters by their evosax names, or arguments of the algorithm (``num_populations``).
    """

    name: str = "Open_ES"
    population: int = 128
    sigma: float = 0.1
    sigma_final: float = 0.1
    learning_rate: float = 0.03
    learning_rate_final: float = 0.03
    options: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if _plain(self.name) not in {_plain(n) for n in STRATEGIES}:
            near = difflib.get_close_matches(self.name, list(STRATEGIES), n=1, cutoff=0.3)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"strategy: no strategy named {self.name!r}; {hint}Known: {', '.join(STRATEGIES)}")
        if self.population < 4 or self.population % 2:
            raise ValueError(f"strategy: population must be even and at least 4, given {self.population}")
        for name in ("sigma", "sigma_final", "learning_rate", "learning_rate_final"):
            if not getattr(self, name) > 0:
                raise ValueError(f"strategy: {name} must be positive, given {getattr(self, name)}")

    @property
    def algorithm(self) -> str:
        """The name as evosax spells it."""
        return next(n for n in STRATEGIES if _plain(n) == _plain(self.name))

    @property
    def is_population_based(self) -> bool:
        """Whether it carries a population rather than a distribution."""
        return self.algorithm in population_based_algorithms

    def build(self, size: int, generations: int) -> tuple[Any, Any]:
        """The evosax algorithm and its parameters, for genomes of ``size`` numbers.

        Raises:
            ValueError: naming the option that the algorithm does not have, or the size that it cannot serve.
        """
        cls = STRATEGIES[self.algorithm]
        accepted = inspect.signature(cls.__init__).parameters
        arguments: dict[str, Any] = {"population_size": self.population, "solution": jnp.zeros(size)}
        if "optimizer" in accepted:
            arguments["optimizer"] = optax.adam(self._decay(self.learning_rate, self.learning_rate_final, generations))
        if "std_schedule" in accepted:
            arguments["std_schedule"] = self._decay(self.sigma, self.sigma_final, generations)
        if "sampling_fn" in accepted:
            arguments["sampling_fn"] = lambda key: jax.random.normal(key, (size,))
        if "num_populations" in accepted:
            arguments["num_populations"] = int(self.options.get("num_populations", 2))
            arguments["population_size"] = self.population // arguments["num_populations"]
        if "subspace_dims" in accepted:
            arguments["subspace_dims"] = int(self.options.get("subspace_dims", min(size, 8)))
        try:
            algorithm = cls(**arguments)
        except (AssertionError, ValueError, TypeError) as error:
            raise ValueError(f"strategy: {self.algorithm} cannot be built with population {self.population}: {error}") from error
        params = algorithm.default_params
        fields = [f for f in vars(params) if not f.startswith("_")]
        if "std_init" in fields and "std_init" not in self.options:
            params = params.replace(std_init=jnp.asarray(self.sigma))
        for name, value in self.options.items():
            if name in arguments:
                continue
            if name not in fields:
                known = ", ".join(sorted({*fields, *(a for a in ("num_populations", "subspace_dims") if a in accepted)}))
                raise ValueError(f"strategy: {self.algorithm} has no option {name!r}; it has: {known or 'none'}")
            params = params.replace(**{name: jnp.asarray(value)})
        return algorithm, params

    @staticmethod
    def _decay(start: float, end: float, generations: int) -> Callable[[Any], Any]:
        if start == end:
            return optax.constant_schedule(start)
        return optax.exponential_decay(start, max(generations, 1), end / start, end_value=end)


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
    """

    generations: int = 300
    lives: int = 8
    validation_lives: int = 64
    block: int = 10
    probes: int = 8
    chunk: int = 0

    def __post_init__(self) -> None:
        for name in ("generations", "lives", "validation_lives", "block", "probes"):
            if getattr(self, name) < 1:
                raise ValueError(f"schedule: {name} must be at least 1, given {getattr(self, name)}")
        if self.chunk < 0:
            raise ValueError(f"schedule: chunk must be 0 (choose for me) or more, given {self.chunk}")


def _strong(state: Any) -> Any:
    """The state without weak types, so that a block is compiled once, for a fresh and for a restored state alike."""
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, jnp.asarray(x).dtype), state)


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
        self.devices = devices or device_count(self.population)
        share = -(-self.population // self.devices)
        best = choose_chunk(organism, task, subjects=share, lives=schedule.lives)
        self.chunk = Chunk(schedule.chunk, schedule.lives) if schedule.chunk else best
        self.probe_steps = probe_steps(task.steps, schedule.probes)
        self.root = jax.random.key(seed)

    def lives_at(self, generation: int) -> int:
        """Lives lived by the end of a generation count: training, and validation after each block."""
        blocks = -(-generation // self.schedule.block)
        first = self.population * self.schedule.lives if self.strategy.is_population_based else 0
        return first + generation * self.population * self.schedule.lives + blocks * 2 * self.schedule.validation_lives

    def start(self, initial: Genome | None = None) -> SearchState:
        """State before the first generation, at a given genome or at a random one."""
        if initial is None:
            initial = self.spec.init(key=jax.random.fold_in(self.root, 0x9E57))
        if initial.shape != (self.spec.size,):
            raise ValueError(f"genome: expected {self.spec.size} numbers to start from, given shape {initial.shape}")
        return jax.jit(self._start)(self.root, initial)

    def advance(self, state: SearchState) -> tuple[SearchState, list[dict[str, Any]]]:
        """Run one block (or what is left); returns one record a generation, the last with validation scores.

        With objectives, the last also holds ``front``: the different points of the first front of that generation.
        """
        count = min(self.schedule.block, self.schedule.generations - int(state.generation))
        if count < 1:
            raise ValueError(f"search: all {self.schedule.generations} generations are done; ask for more generations")
        begin = int(state.generation)
        # a fresh, a restored and a carried state enter the same program, laid out alike: bit for bit needs that
        state = jax.tree.map(jnp.asarray, jax.device_get(state))
        state, (history, validation) = self._block(count)(self.root, state)
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
            points = np.unique(objectives[-1][first[-1]], axis=0)[::-1]
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
        )

    def _start(self, root: Key, initial: Genome) -> SearchState:
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
        return _strong(state)

    @cached_property
    def _blocks(self) -> dict[int, Any]:
        return {}

    def _block(self, count: int) -> Any:
        if count not in self._blocks:
            self._blocks[count] = jax.jit(partial(self._run_block, count), donate_argnums=1)
        return self._blocks[count]

    def _run_block(self, count: int, root: Key, state: SearchState) -> tuple[SearchState, Any]:
        # the root is told, not known: searches that differ in their seed alone are one program, compiled once
        state, history = jax.lax.scan(lambda s, _: self._generation(root, s), state, None, length=count)
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
        return _strong(state), (history, validation)

    def _generation(self, root: Key, state: SearchState) -> tuple[SearchState, dict[str, Array]]:
        key = jax.random.fold_in(jax.random.fold_in(root, 1), state.generation)
        key_ask, key_lives, key_tell = jax.random.split(key, 3)
        genomes, strategy = self.algorithm.ask(key_ask, state.strategy, self.params)
        flat = genomes.reshape(-1, self.spec.size)
        log = self._lived(flat, "train", self.schedule.lives, key=key_lives)
        fitness = self.fitness(log, self.probe_steps).mean(1)
        merit = self.fitness.merit(log, self.probe_steps)
        strategy, _ = self.algorithm.tell(key_tell, genomes, -merit.reshape(genomes.shape[:-1]), strategy, self.params)
        centre = strategy.population if self.strategy.is_population_based else strategy.mean
        record = {
            "fitness_min": fitness.min(),
            "fitness_mean": fitness.mean(),
            "fitness_max": fitness.max(),
            "failed": log.failed.mean(),
            "density": (log.synapses.mean(1) / self.organism.substrate.synapses).mean(),
            "genome_norm": jnp.linalg.norm(centre.reshape(-1, self.spec.size).mean(0)),
        }
        if self.fitness.objectives:
            first = merit >= 0
            record |= {"front": first, "objectives": self.fitness.trade_off(log, self.probe_steps)}
        best = jnp.where(first, fitness, -jnp.inf).argmax() if self.fitness.objectives else fitness.argmax()
        state = replace(
            state,
            strategy=strategy,
            generation=state.generation + 1,
            centroid=centre.reshape(-1, self.spec.size).mean(0),
            best=flat[best],
        )
        return state, record


def maximise(
    score: Callable[..., Array],
    size: int,
    strategy: Strategy,
    generations: int,
    *,
    key: Key,
    initial: Genome | None = None,
) -> tuple[Genome, Genome, Array]:
    """Move genomes by a strategy towards a high score, whatever the score is of; one compiled program.

    For fitting, and for worlds that are not a :class:`Task`; :class:`Search` is for lives.

    Args:
        score: ``score(genomes, key=key) -> (population,)``, higher is better; not finite counts as worst of its generation.
        size: numbers in a genome.
        strategy: a distribution-based evosax strategy.
        generations: how many.
        key: of everything that is drawn.
        initial: genome to start from; zeros if not given.

    Returns:
        The best genome seen, the centre of the search at its end, and the best score of each generation.

    Raises:
        ValueError: for a population-based strategy.
    """
    if strategy.is_population_based:
        raise ValueError(
            f"strategy: {strategy.algorithm} carries a population; choose a distribution-based one (CMA_ES, SNES, ...)"
        )
    algorithm, params = strategy.build(size, generations)
    key_init, key_run = jax.random.split(key)
    initial = jnp.zeros(size) if initial is None else initial

    def generation(carry: Any, key: Key) -> tuple[Any, Array]:
        state, best, best_score = carry
        key_ask, key_score, key_tell = jax.random.split(key, 3)
        genomes, state = algorithm.ask(key_ask, state, params)
        scores = score(genomes, key=key_score)
        finite = jnp.isfinite(scores)
        scores = jnp.where(finite, scores, jnp.where(finite, scores, jnp.inf).min(initial=1e9))
        state, _ = algorithm.tell(key_tell, genomes, -scores, state, params)
        top = scores.argmax()
        better = scores[top] > best_score
        return (state, jnp.where(better, genomes[top], best), jnp.where(better, scores[top], best_score)), scores[top]

    @jax.jit
    def run(initial: Genome, key_init: Key, keys: Array) -> tuple[Genome, Genome, Array]:
        state = algorithm.init(key_init, initial, params)
        carry = _strong(state), initial, jnp.asarray(-jnp.inf)
        (state, best, _), history = jax.lax.scan(generation, carry, keys)
        return best, state.mean, history

    return run(initial, key_init, jax.random.split(key_run, generations))
