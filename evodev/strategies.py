"""Evolution strategies of evosax by name. The only module that imports it.

evosax minimises and calls a genome a solution; both end here and in ``search.py``.
"""

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import optax
from evosax.algorithms import distribution_based_algorithms, population_based_algorithms

from evodev.types import Array, Genome, Key

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
        name: any evosax algorithm (see evodev list); case, ``-`` and ``_`` do not matter.
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


def strong(state: Any) -> Any:
    """The state without weak types, so that a block is compiled once, for a fresh and for a restored state alike."""
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, jnp.asarray(x).dtype), state)


def maximise(
    score: Callable[..., Array],
    size: int,
    strategy: Strategy,
    generations: int,
    *,
    key: Key,
    initial: Genome | None = None,
    numbered: bool = False,
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
        numbered: the score is also told the number of the generation (``generation=``), for worlds that change meanwhile.

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

    def generation(carry: Any, now: tuple[Key, Array]) -> tuple[Any, Array]:
        (state, best, best_score), (key, number) = carry, now
        key_ask, key_score, key_tell = jax.random.split(key, 3)
        genomes, state = algorithm.ask(key_ask, state, params)
        scores = score(genomes, key=key_score, **({"generation": number} if numbered else {}))
        finite = jnp.isfinite(scores)
        scores = jnp.where(finite, scores, jnp.where(finite, scores, jnp.inf).min(initial=1e9))
        state, _ = algorithm.tell(key_tell, genomes, -scores, state, params)
        top = scores.argmax()
        better = scores[top] > best_score
        return (state, jnp.where(better, genomes[top], best), jnp.where(better, scores[top], best_score)), scores[top]

    @jax.jit
    def run(initial: Genome, key_init: Key, keys: Array) -> tuple[Genome, Genome, Array]:
        state = algorithm.init(key_init, initial, params)
        carry = strong(state), initial, jnp.asarray(-jnp.inf)
        (state, best, _), history = jax.lax.scan(generation, carry, (keys, jnp.arange(generations)))
        return best, state.mean, history

    return run(initial, key_init, jax.random.split(key_run, generations))
