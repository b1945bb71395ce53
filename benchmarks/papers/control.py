"""CartPole-v1 for grown networks: episodes, the search for a genome that balances, and its rows."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes

from evodev.decoders import Decoder
from evodev.network import Network, activities, synapses
from evodev.statistics import interval
from evodev.strategies import Strategy, maximise
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genome, Key

CACHE = Path(__file__).parent / ".cache"
SOLVED, TESTED, VALIDATED = 500.0, 100, 2048
"""The most an episode can return; episodes that test a champion, and that choose it."""
NOISE = 0.01
"""Relative noise on the weights of a network that is shaken."""

Returns = Float[Array, " episodes"]


def environment(name: str = "CartPole-v1") -> tuple[Any, Any]:
    """A gymnax environment and its parameters.

    Raises:
        ImportError: without gymnax, naming the extra.
    """
    try:
        import gymnax  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError("control needs gymnax: pip install 'evodev-jax[control]'") from error
    return gymnax.make(name)


def episodes(
    network: Network, substrate: Substrate, world: tuple[Any, Any], count: int, *, key: Key, memory: bool = False
) -> Returns:
    """Return of each of ``count`` episodes in which the strongest output of a network is its action.

    Args:
        network: one that grew in ``substrate``, an input an observation, an output an action.
        substrate: its ``ticks`` are the sweeps of the network between two actions.
        world: of :func:`environment`.
        count: episodes.
        key: of the first states and of the environment's noise.
        memory: start a step from the activity of the step before, rather than from silence.
    """
    env, params = world
    key_reset, key_steps = jax.random.split(key)
    seen, state = jax.vmap(env.reset_env, (0, None))(jax.random.split(key_reset, count), params)

    def going(carry: Any) -> Array:
        step, running = carry[0], carry[1]
        return (step < params.max_steps_in_episode) & running.any()

    def act(carry: Any) -> Any:
        step, running, total, seen, state, activity = carry
        activity = activities(substrate, network, seen, activity if memory else None)
        action = activity[substrate.output.name].argmax(1)
        keys = jax.random.split(jax.random.fold_in(key_steps, step), count)
        seen, state, reward, done, _ = jax.vmap(env.step_env, (0, 0, 0, None))(keys, state, action, params)
        return step + 1, running & ~done, total + reward * running, seen, state, activity

    silence = {p.name: jnp.zeros((count, p.size)) for p in substrate.populations}
    start = (jnp.asarray(0), jnp.ones(count, bool), jnp.zeros(count), seen, state, silence)
    return jax.lax.while_loop(going, act, start)[2]


def remembered(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``make`` returns, kept in a file: a killed script goes on where it was."""
    path = CACHE / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(make()))
    return json.loads(path.read_text())


class Balance:
    """The search for a genome whose network balances the pole; compiled once for all seeds.

    Args:
        decoder: grows the network.
        substrate: of four inputs and two outputs.
        strategy: that moves the genomes.
        generations: how many.
        count: episodes a genome is scored on, the same for all of a generation, fresh in the next.
        start: spread of the genome that a search starts from, in search units; 0 for the genome of zeros.
    """

    def __init__(
        self, decoder: Decoder, substrate: Substrate, strategy: Strategy, *, generations: int, count: int, start: float = 0.0
    ) -> None:
        world = environment()
        self.spec = decoder.genome_spec(substrate)
        self.count, self.generations, self.strategy = count, generations, strategy

        def returns(genome: Genome, count: int, key: Key) -> Returns:
            return episodes(decoder.grow(genome, substrate, key=key), substrate, world, count, key=key)

        def shaken(genome: Genome, key: Key) -> Returns:
            network = decoder.grow(genome, substrate, key=key)
            draws = {
                name: jax.random.normal(jax.random.fold_in(key, i), w.shape)
                for i, (name, w) in enumerate(network.weights.items())
            }
            weights = {name: w * (1 + NOISE * draws[name]) for name, w in network.weights.items()}
            return episodes(replace(network, weights=weights), substrate, world, TESTED, key=key)

        def score(genomes: Array, *, key: Key) -> Array:
            return jax.vmap(lambda genome: returns(genome, count, key).mean())(genomes)

        def search(key: Key) -> tuple[Genome, Genome, Genome, Array]:
            key_start, key_search = jax.random.split(key)
            first = start * self.spec.init(key=key_start)
            return first, *maximise(score, self.spec.size, strategy, generations, key=key_search, initial=first)

        self.search, self.grow = jax.jit(search), jax.jit(lambda genome: decoder.grow(genome, substrate, key=jax.random.key(0)))
        self.test = jax.jit(lambda genome, key: returns(genome, TESTED, key))
        self.validate = jax.jit(lambda genome, key: returns(genome, VALIDATED, key).mean())
        self.shaken = jax.jit(
            lambda genome, key: jax.lax.map(lambda k: shaken(genome, k).mean(), jax.random.split(key, 8)).mean()
        )
        self.random = jax.jit(
            lambda key: jax.lax.map(
                lambda k: score(jax.random.normal(k, (strategy.population, self.spec.size)), key=k), jax.random.split(key, 8)
            )
        )

    def one_seed(self, seed: int) -> dict[str, Any]:
        """Test returns of the champion and of the genome that the search started from, and what the search saw.

        The champion is the best genome seen or the centre of the search, whichever returned more in validation.
        """
        key_search, key_validation, key_test = jax.random.split(jax.random.fold_in(jax.random.key(2307), seed), 3)
        began = time.perf_counter()
        first, best, centre, history = jax.block_until_ready(self.search(key_search))
        seconds = time.perf_counter() - began
        champion = max((centre, best), key=lambda genome: float(self.validate(genome, key_validation)))
        network = self.grow(champion)
        solved = np.flatnonzero(np.asarray(history) >= SOLVED)
        return {
            "returns": np.asarray(self.test(champion, key_test)).tolist(),
            "shaken": float(self.shaken(champion, key_test)),
            "start": float(self.test(first, key_test).mean()),
            "history": np.asarray(history).tolist(),
            "episodes": int(solved[0] + 1) * self.strategy.population * self.count if len(solved) else None,
            "cells": int(jnp.concatenate(list(network.alive.values())).sum()),
            "synapses": int(synapses(network)),
            "champion": np.asarray(champion).tolist(),
            "seconds": seconds,
        }

    @property
    def budget(self) -> str:
        """What a search may spend, in words."""
        population = self.strategy.population
        return (
            f"{self.strategy.name}, sigma {self.strategy.sigma}: {population} genomes x {self.generations} generations x "
            f"{self.count} episodes = {population * self.generations * self.count:,} outer episodes a seed"
        )


def balance_rows(
    results: Sequence[dict[str, Any]], size: int, *, who: str, most: int | None = None, source: str | None = None
) -> list[dict[str, Any]]:
    """The champions' returns against the published ones, what they cost, and the genomes before any search.

    Args:
        results: of :meth:`Balance.one_seed`.
        size: numbers in a genome.
        who: what the rows' labels begin with.
        most: numbers that a genome may have.
        source: who published a return of 500; None if nobody did.
    """
    returns = np.array([r["returns"] for r in results])
    mean, lo, hi = (float(x) for x in interval(returns.mean(1), 2000))
    solved = int((returns.mean(1) >= SOLVED).sum())
    spent = [r["episodes"] for r in results if r["episodes"]]
    first = f"{min(spent):,} to {max(spent):,}" if spent else "never"
    grown = sorted({f"{r['cells']} cells with {r['synapses']} synapses" for r in results})
    met = solved == len(results) and (most is None or size <= most)
    rows = [
        {
            "label": f"{who}, {size} genome numbers: mean return", "measured": mean, "lo": lo, "hi": hi, "unit": "steps",
            "reference": SOLVED if source else None, "source": source, "target": SOLVED, "met": met,
            "note": f"{TESTED} fresh episodes for each of {len(results)} seeds; worst seed {returns.mean(1).min():.1f}, worst "
            f"episode {returns.min():.0f}; met: every seed returns 500" + (f" with at most {most} numbers" if most else ""),
        },
        {
            "label": f"{who}: seeds that solve it", "measured": solved, "unit": f"of {len(results)}", "target": len(results),
            "met": solved == len(results), "note": "grown: " + "; ".join(grown),
        },
        {
            "label": f"{who}: outer episodes until a genome returned 500", "unit": "episodes",
            "measured": float(np.median(spent)) if spent else None,
            "note": f"median; {first}; by the generation's best genome, in the episodes it was scored on",
        },
        {
            "label": f"{who}: before the search", "measured": float(np.mean([r["start"] for r in results])), "unit": "steps",
            "note": "mean return of the genome that a search started from",
        },
        {
            "label": f"{who}: a search takes", "measured": float(np.median([r["seconds"] for r in results])), "unit": "s",
            "note": "median; one core that others used too; the first seed compiles",
        },
    ]  # fmt: skip
    if all("shaken" in r for r in results):
        values = [r["shaken"] for r in results]
        rows.append({
            "label": f"{who}: weights shaken by {NOISE:.0%}", "measured": float(np.mean(values)), "lo": min(values),
            "hi": max(values), "unit": "steps", "note": f"champions in 8 x {TESTED} episodes; the range is over seeds: "
            "the answer hangs on fine differences between twin outputs where it is low",
        })  # fmt: skip
    return rows


def draw_learning(axis: Axes, results: Sequence[dict[str, Any]]) -> None:
    """The best return of each generation, a line a seed."""
    for r in results:
        axis.plot(np.arange(len(r["history"])), r["history"], color="#0b4f9e", linewidth=1, alpha=0.6)
    axis.set_xlabel("generation")
    axis.set_title("best return of a generation, a line a seed", loc="left", fontsize=9)
    axis.set_ylim(0, 520)
    axis.spines[["top", "right"]].set_visible(False)
