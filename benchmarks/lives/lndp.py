"""LNDP on CartPole, with and without structural plasticity and spontaneous activity (Plantec et al. 2024, arXiv 2406.09787).

Plain CartPole as in the paper: fixed physics and actions, nothing seen but the four numbers, three episodes a life, a network
drawn at random in every life. Here everything is smaller: 12 neurons rather than 32, episodes of at most 100 steps rather than
500, and a search that is a few thousandths of the paper's (256 genomes x 10,000 generations of CMA-ES).

Written down before the run. The paper reports that CartPole fails without structural plasticity, and that spontaneous activity
brings skill to the first episode. Expected at so small a part of its search: no arm balances, all stay near the 22 steps of
acting at random; the differences, if any, have the paper's sign, and their intervals contain 0. A draw is then no evidence
against the paper, only a statement of what two cores reach.
"""

import argparse
import json
import pickle
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np

from benchmarks.common import result_path, write_result
from evodev.episodes import episodes
from evodev.learners import LNDP
from evodev.network import Network
from evodev.statistics import interval
from evodev.strategies import Strategy
from evodev.substrate import Substrate, recurrent
from evodev.tasks import CartPole
from evodev.types import Array, Genome, Key

matplotlib.use("Agg")
import matplotlib.pyplot as plt

CACHE = Path(__file__).parent / ".cache"
TASK = CartPole(episodes=3, horizon=100, recall=False, normalise=False, redraw=())
SUBSTRATE = recurrent(TASK.inputs, 6, TASK.outputs)
DENSITY = 0.3
"""Of the network at birth: 0.1 in the paper, which would leave most of 12 neurons alone."""
DREAM = 50
STRATEGY = Strategy("Open_ES", population=32, sigma=0.2, sigma_final=0.2, learning_rate=0.1, learning_rate_final=0.1)
SMOOTH = 20
"""Generations that a point of the curve is the mean of."""
TESTED = 64
"""Fresh lives that test a genome; in the search it is scored on one, the same for all of a generation."""
SEEDS, EARLY, GENERATIONS, ROUND = 5, 50, 140, 5
"""Generations after which all arms are tested: the budget that was set, and what there was time for beyond it."""
ARMS: dict[str, LNDP] = {
    "full": LNDP(spontaneous=DREAM),
    "no spontaneous activity": LNDP(),
    "no structural plasticity": LNDP(spontaneous=DREAM, structural=False),
    "neither": LNDP(structural=False),
}
COLORS = {"full": "#0b4f9e", "no spontaneous activity": "#6aa5e0", "no structural plasticity": "#b3541e", "neither": "#e3a57f"}


def reservoir(substrate: Substrate, density: float, *, key: Key) -> Network:
    """A network without development: synapses with a probability, weights uniform in [-1, 1], no biases."""
    masks, weights = {}, {}
    for i, p in enumerate(substrate.projections):
        key_mask, key_weight = jax.random.split(jax.random.fold_in(key, i))
        masks[p.name] = jax.random.bernoulli(key_mask, density, substrate.shape(p)).astype(jnp.float32)
        weights[p.name] = masks[p.name] * jax.random.uniform(key_weight, substrate.shape(p), minval=-1.0)
    biases = {p.name: jnp.zeros(p.size) for p in substrate.populations}
    alive = {p.name: jnp.ones(p.size) for p in substrate.populations}
    return Network(weights, masks, {}, biases, alive)


@dataclass(frozen=True)
class Arm:
    """One kind of LNDP; one compiled program lives all lives, of all seeds at once, in search and test."""

    name: str

    @property
    def learner(self) -> LNDP:
        return ARMS[self.name]

    @cached_property
    def size(self) -> int:
        return self.learner.genome_spec(SUBSTRATE).size

    @cached_property
    def lived(self) -> Any:
        """(seeds, genomes, numbers), (seeds, genomes) keys -> (seeds, genomes, 4): the newborn's episode, the three lived."""
        spec = self.learner.genome_spec(SUBSTRATE)

        def one(genome: Genome, key: Key) -> Array:
            key_world, key_network, key_life = jax.random.split(key, 3)
            network, world = reservoir(SUBSTRATE, DENSITY, key=key_network), TASK.sample("train", key=key_world)
            schedule = tuple(range(TASK.episodes + 1))
            regret = episodes(self.learner, spec.unpack(genome), network, SUBSTRATE, TASK, world, schedule, key=key_life)[:, 0]
            ignorant, perfect = TASK.returns(world)
            return perfect - regret * (perfect - ignorant)

        return jax.jit(jax.vmap(jax.vmap(one)))

    def tested(self, genomes: Array, keys: Array) -> np.ndarray:
        """Mean return (seeds, moments) of one genome a seed in fresh lives, by one key a seed."""
        copies = jnp.broadcast_to(genomes[:, None], (SEEDS, STRATEGY.population, self.size))
        returns = []
        for i in range(TESTED // STRATEGY.population):
            folded = jax.vmap(jax.random.fold_in, (0, None))(keys, i)
            own = jax.vmap(lambda key: jax.random.split(key, STRATEGY.population))(folded)
            returns.append(np.asarray(self.lived(copies, own)).mean(1))
        return np.mean(returns, axis=0)

    @cached_property
    def _strategy(self) -> tuple[Any, Any]:
        algorithm, params = STRATEGY.build(self.size, GENERATIONS)
        ask = jax.jit(jax.vmap(lambda key, state: algorithm.ask(key, state, params)))
        tell = jax.jit(jax.vmap(lambda key, genomes, loss, state: algorithm.tell(key, genomes, loss, state, params)[0]))
        return ask, tell

    def start(self) -> dict[str, Any]:
        """All seeds before their first generation: searches begin at the genome of zeros, which leaves a network as it is."""
        algorithm, params = STRATEGY.build(self.size, GENERATIONS)
        zeros = jnp.zeros(self.size)
        state = jax.vmap(lambda key: algorithm.init(key, zeros, params))(_keys(0, 0))
        return {"state": state, "history": [], "seconds": 0.0}

    def advance(self, generations: int) -> dict[str, Any]:
        """The searches of all seeds after so many generations, from where the file of the arm stands."""
        ask, tell = self._strategy
        path = CACHE / f"lndp-{self.name.replace(' ', '-')}.pickle"
        run = pickle.loads(path.read_bytes()) if path.exists() else self.start()
        while len(run["history"]) < generations:
            began, number = time.process_time(), len(run["history"])
            genomes, state = ask(_keys(1, number), run["state"])
            # all genomes of a generation are born alike and live in the same worlds
            keys = jnp.broadcast_to(_keys(2, number)[:, None], genomes.shape[:2])
            returns = np.asarray(self.lived(genomes, keys))
            # the newborn's episode comes before any that is learned from, and does not count
            fitness = returns[..., 1:].mean(2)
            run["state"] = tell(_keys(3, number), genomes, -jnp.asarray(fitness), state)
            run["history"].append(returns.mean(1).tolist())
            run["seconds"] += time.process_time() - began
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(jax.device_get(run)))
        return run

    def outcomes(self, generations: int) -> list[dict[str, Any]]:
        """Seed by seed: test returns of the centre of the search, which nothing was selected by, and of two controls."""
        run = self.advance(generations)
        subjects = {"evolved": jnp.asarray(run["state"].mean), "zeros": jnp.zeros((SEEDS, self.size))}
        if self.name == "full":
            subjects["random"] = jax.vmap(lambda key: jax.random.normal(key, (self.size,)))(_keys(4, 0))
        tests = {name: self.tested(genomes, _keys(5, 0)).tolist() for name, genomes in subjects.items()}
        history = np.array(run["history"])
        return [
            {name: test[seed] for name, test in tests.items()}
            | {"history": history[:, seed].tolist(), "seconds": run["seconds"] / SEEDS}
            for seed in range(SEEDS)
        ]


def _keys(purpose: int, number: int) -> Array:
    """A key for each seed."""
    root = jax.random.fold_in(jax.random.fold_in(jax.random.key(2406), purpose), number)
    return jax.vmap(lambda seed: jax.random.fold_in(root, seed))(jnp.arange(SEEDS))


def rows_of(early: dict[str, list[dict[str, Any]]], late: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Returns of the arms, the differences that the paper reports, and what all of it took."""
    outcomes = {name: late[name] for name in ARMS}
    before = {name: np.array([o["evolved"] for o in early[name]]) for name in ARMS}

    def row(label: str, values: np.ndarray, **more: Any) -> dict[str, Any]:
        mean, lo, hi = (float(x) for x in interval(values, 10_000))
        return {"label": label, "measured": mean, "lo": lo, "hi": hi, "unit": "steps"} | more

    known = ("evolved", "zeros", "random")
    tests = {name: {who: np.array([o[who] for o in runs]) for who in known if who in runs[0]} for name, runs in outcomes.items()}
    done = len(late["full"][0]["history"])
    rows = []
    for name, test in tests.items():
        episode = ", ".join(f"{x:.1f}" for x in test["evolved"].mean(0))
        seeds = ", ".join(f"{x:.0f}" for x in test["evolved"][:, 1:].mean(1))
        rows.append(row(
            f"LNDP, {name}: return of an episode", test["evolved"][:, 1:].mean(1), target=float(TASK.horizon),
            met=bool(test["evolved"][:, 1:].mean() >= 0.95 * TASK.horizon),
            note=f"centre of the search, {TESTED} fresh lives a seed; newborn and the three episodes lived: {episode}; by seed: "
            f"{seeds}; after {EARLY} generations {before[name][:, 1:].mean():.1f}; met: 95% of the most possible",
        ))  # fmt: skip
        rows.append(row(
            f"LNDP, {name}: gain over the genome of zeros it began at", (test["evolved"] - test["zeros"])[:, 1:].mean(1),
            target=0.0, note="same lives; met: the interval lies above zero",
        ))  # fmt: skip
        rows[-1]["met"] = rows[-1]["lo"] > 0
    for who, label in (("random", "a random genome"), ("zeros", "a genome of zeros")):
        rows.append(row(f"control, {label}, full", tests["full"][who][:, 1:].mean(1), note=f"{TESTED} fresh lives a seed"))
    lived, first = slice(1, None), slice(1, 2)
    pairs = (
        ("structural plasticity", lived, "three episodes", ("full", "no structural plasticity")),
        ("structural plasticity without spontaneous activity", lived, "three episodes", ("no spontaneous activity", "neither")),
        ("spontaneous activity", first, "first episode", ("full", "no spontaneous activity")),
        ("spontaneous activity without structural plasticity", first, "first episode", ("no structural plasticity", "neither")),
    )
    for what, moments, when, (more, less) in pairs:
        gap = (tests[more]["evolved"] - tests[less]["evolved"])[:, moments].mean(1)
        mean, lo, hi = interval((before[more] - before[less])[:, moments].mean(1), 10_000)
        rows.append(row(
            f"what {what} adds to the {when}", gap, target=0.0, source="arXiv 2406.09787 reports an advantage",
            note="centres of the searches, paired by seed and test lives; met: the interval lies above zero; after "
            f"{EARLY} generations {mean:+.1f} [{lo:.1f}, {hi:.1f}]",
        ))  # fmt: skip
        rows[-1]["met"] = rows[-1]["lo"] > 0
    share = done * STRATEGY.population / (10_000 * 256)
    rows.append({
        "label": "share of the paper's search", "measured": share, "unit": "share of genome evaluations", "reference": 1.0,
        "source": "arXiv 2406.09787: CMA-ES, 256 x 10,000",
        "note": f"{done} generations x {STRATEGY.population} genomes x one life of {TASK.episodes} episodes; "
        f"{np.mean([o['seconds'] for runs in outcomes.values() for o in runs]):.0f} core-seconds a search",
    })  # fmt: skip
    sizes = [Arm(name).size for name in ARMS]
    rows.append({
        "label": "numbers in a genome", "measured": sizes[0], "unit": "numbers", "reference": 1915,
        "source": "arXiv 2406.09787, 32 neurons", "note": f"against {SUBSTRATE.synapses} legal synapses here (806 there): no "
        f"compression; the arms have {', '.join(f'{size} ({name})' for name, size in zip(ARMS, sizes, strict=True))}",
    })  # fmt: skip
    return rows


def draw(outcomes: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """The search, and the test by episodes, one colour an arm."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for name, runs in outcomes.items():
        curves = np.array([np.array(o["history"])[:, 1:].mean(1) for o in runs])
        # a generation lives in one world, so that single ones say little
        kernel = np.ones(SMOOTH) / SMOOTH
        mean, lo, hi = interval(np.array([np.convolve(curve, kernel, "valid") for curve in curves]), 2000)
        x = np.arange(SMOOTH, len(mean) + SMOOTH)
        left.plot(x, mean, color=COLORS[name], linewidth=1.2, label=name)
        left.fill_between(x, lo, hi, color=COLORS[name], alpha=0.12, linewidth=0)
        mean, lo, hi = interval(np.array([o["evolved"] for o in runs]), 2000)
        right.errorbar(np.arange(4), mean, [mean - lo, hi - mean], color=COLORS[name], linewidth=1.2, marker="o", markersize=3)
    left.set_xlabel("generation")
    left.set_title(f"mean return of the genomes, last {SMOOTH} generations, 95% over seeds", loc="left", fontsize=9)
    left.legend(frameon=False, fontsize=8)
    right.set_xticks(range(4), ["newborn", "1", "2", "3"])
    right.set_xlabel("episode of a life")
    right.set_title("return of the searches' centres in fresh lives", loc="left", fontsize=9)
    for axis in (left, right):
        axis.axhline(22, color="#999", linewidth=0.8, linestyle=":")
        axis.set_ylim(0)
        axis.set_ylabel("steps")
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)


def tested_at(arms: dict[str, Arm], generations: int) -> dict[str, list[dict[str, Any]]]:
    """What all arms reach after so many generations, a few at a time so that none is ahead of the others for long."""
    kept = CACHE / f"lndp-outcomes-{generations}.json"
    outcomes = json.loads(kept.read_text()) if kept.exists() else {}
    if len(outcomes) == len(arms):
        return outcomes
    for until in range(ROUND, generations + ROUND, ROUND):
        for name, arm in arms.items():
            run = arm.advance(min(until, generations))
            recent = np.array(run["history"][-ROUND:]).mean((0, 1))
            print(name, len(run["history"]), np.round(recent, 1), f"{run['seconds']:.0f} s", flush=True)
    for name in arms.keys() - outcomes.keys():
        outcomes[name] = arms[name].outcomes(generations)
        kept.write_text(json.dumps(outcomes))
        print(name, [np.round(o["evolved"], 1) for o in outcomes[name]], flush=True)
    return outcomes


def main() -> None:
    """Search, test, write, draw; what was done before is not done again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generations", type=int, default=GENERATIONS, help=f"of every search, more than {EARLY}")
    generations = parser.parse_args().generations
    arms = {name: Arm(name) for name in ARMS}
    early, late = tested_at(arms, EARLY), tested_at(arms, generations)
    figure = "lndp.png"
    command = f"python -m benchmarks.lives.lndp --generations {generations}"
    path = write_result(
        "lives", "lndp", rows_of(early, late), command=command, seeds=SEEDS,
        budget=f"{STRATEGY.name}, {STRATEGY.population} genomes x {generations} generations x one life of {TASK.episodes} "
        f"episodes of at most {TASK.horizon} steps; {SUBSTRATE.synapses} legal synapses, born with {DENSITY:.0%} of them",
        figure=figure,
    )  # fmt: skip
    draw({name: late[name] for name in ARMS}, result_path("lives", "lndp").with_name(figure))
    print(path)


if __name__ == "__main__":
    main()
