"""A network of 64 neurons fits m*a from 1,000 examples: why 64, and why does it not find the rule?

    python -m benchmarks.lives.laws [--seeds K] [--widths W ...] [--arms ...]

A life shows 1,000 examples of m*a, both variables in .5 to 2 but never both in 1 to 1.5, in a unit that is redrawn in each
life. It is then asked in that hole (interpolation) and with both variables in 2.5 to 4 (extrapolation). Errors are relative:
mean squared error over the variance of the targets asked for, so that 1 is what their own mean would get.

First, plain networks of one hidden layer of 2 to 256 neurons under Adam, its rate falling on a cosine over 500 passes in
batches of 20; the rate and the spread of biases are chosen on other lives. Then lives of 10 passes: a genome that says how
neurons are born, which activations they have and at what rates they learn is evolved on lives of the seven other laws, and m*a
is new to it. The fair control evolves rates and the spread of random weights alone, by the same strategy and in as many lives.
Two further genomes (``--arms``) are selected for what their offspring answer in 2 to 2.5, on the other laws and on m*a itself.

Written down before the run, the signs expected:

1. What it takes to express m*a is less than what it takes to find it: two square neurons or four tanh neurons, weights set by
   hand, do what trained networks need many more for. 64 is the search's number, not the law's.
2. Interpolation improves with width; extrapolation does not, and stays over 100 times worse than interpolation for tanh and relu
   at any width: outside, a relu network is linear and a tanh network constant. Square neurons extrapolate.
3. The evolved genome interpolates better than the plain network in a life as short, most of all with 4 neurons; most of that, but
   not all, is the rates and scales (the control).
4. It extrapolates no better than the control, unless it is selected for that and has square neurons to deal out.

Finished arms are kept in benchmarks/lives/.cache: a killed script goes on where it was.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.common import result_path, write_result
from benchmarks.lives.laws_arms import DIAGONAL, KINDS, asked, learned, organism, plain_genome, relative
from evodev.cli import prepare_jax
from evodev.genome import branch
from evodev.organism import Organism
from evodev.statistics import interval
from evodev.strategies import Strategy, maximise
from evodev.tasks import Laws, Split
from evodev.tasks.laws import Law
from evodev.types import Array, Genome, Genomes, Key, Scalar

WIDTHS = (2, 4, 8, 16, 32, 64, 128, 256)
SHORT_WIDTHS = (4, 16, 64)
LONG, SHORT = 500, 10
"""Passes over the examples in a life of full effort, and in one that is evolved for."""
LIVES = 20
RATES, BIASES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2), (0.0, 0.7)
FASTER = (0.03, 0.05, 0.1, 0.2, 0.3)
"""Tried instead at 64 neurons, as the best of ``RATES`` is the last."""
GENERATIONS, POPULATION, OUTER_LIVES = 25, 24, 8
RANGES: tuple[Split, ...] = ("train", "validation", "test")
BEYOND = (2.5, 4.0)
OTHERS: tuple[Law, ...] = ("kinetic energy", "current", "gravitation", "pendulum", "lens", "fall", "resultant")
CACHE = Path(__file__).parent / ".cache" / "laws"
_GROWN: dict[str, Any] = {"kinds": KINDS, "grown": True}
ARMS: dict[str, dict[str, Any]] = {
    "rates and scales evolved": {"kinds": ("tanh",), "grown": False, "laws": OTHERS, "beyond": False},
    "genome": _GROWN | {"laws": OTHERS, "beyond": False},
    "genome selected beyond the range": _GROWN | {"laws": OTHERS, "beyond": True},
    "genome selected beyond the range on m*a itself": _GROWN | {"laws": ("force",), "beyond": True},
}
RANDOM = "random genome, the evolved one's rates"
CONTROL = "rates and scales evolved"


def kept(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A result worked out before, or worked out now and kept."""
    path = CACHE / f"{name}.json"
    if not path.exists():
        began = time.perf_counter()
        result = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result | {"seconds": time.perf_counter() - began}))
        print(name, f"{time.perf_counter() - began:.0f} s", flush=True)
    return json.loads(path.read_text())


def question(passes: int) -> Laws:
    """Lives of m*a."""
    return Laws(laws=("force",), epochs=passes, probes=400, test=BEYOND)


def many(being: Organism, task: Laws) -> Callable[[Genomes, Array], tuple[Array, Array]]:
    """Compiled lives of (genomes, keys), one of each together: errors (lives, ranges) and answers (lives, diagonal)."""
    return jax.jit(jax.vmap(lambda genome, key: asked(being, genome, task, RANGES, key=key)))


def plain(kind: str, width: int, passes: int, rates: tuple[float, ...] = RATES) -> dict[str, Any]:
    """Errors and answers of ``LIVES`` lives at the grid's best rate and biases, which other lives chose in the hole."""
    task = question(passes)
    being = organism(width, (kind,), task.steps)
    live, grid = many(being, task), [(rate, bias) for rate in rates for bias in BIASES]
    genomes, choice = jnp.stack([plain_genome(being, rate, bias) for rate, bias in grid]), jnp.zeros(len(grid))
    key_choice, key_test = jax.random.split(jax.random.key(7))
    # as many lives together as will be tested, so that one program serves both
    for key in jax.random.split(key_choice):
        errors, _ = live(jnp.repeat(genomes, 2, axis=0), jnp.tile(jax.random.split(key, 2), len(grid)))
        choice += jnp.log10(errors[:, 1]).reshape(len(grid), 2).mean(1)
    best = int(choice.argmin())
    errors, answers = live(jnp.repeat(genomes[best][None], LIVES, axis=0), jax.random.split(key_test, LIVES))
    return {"errors": errors.tolist(), "answers": answers.tolist(), "rate": grid[best][0], "bias": grid[best][1]}


def outer_task(laws: tuple[Law, ...], *, beyond: bool) -> tuple[Laws, Split]:
    """Lives to evolve on, and the family by whose probes they are judged."""
    if beyond:
        return Laws(laws=laws, epochs=SHORT, probes=200, validation=(2.0, 2.5), test=BEYOND), "validation"
    return Laws(laws=laws, epochs=SHORT, probes=200, test=BEYOND), "train"


def fitness(being: Organism, task: Laws, split: Split, genomes: Genomes, *, key: Key) -> Array:
    """Minus the mean order of magnitude of the relative error at the end of lives that all genomes share."""

    def one(genome: Genome, key: Key) -> Scalar:
        key_world, key_life = jax.random.split(key)
        life = task.sample(split, key=key_world)
        genes, state = learned(being, genome, life, key=key_life)
        return -jnp.log10(relative(being.learner.predict(genes, state, life.probe_inputs, being.substrate), life.probe_targets))

    keys = jax.random.split(key, OUTER_LIVES)
    return jax.vmap(lambda genome: jax.vmap(partial(one, genome))(keys))(genomes).mean(1)


def evolved(arm: str, width: int, seeds: int) -> dict[str, Any]:
    """Centres of as many searches, and errors (seeds, lives, ranges) of theirs and of the genomes that they started from."""
    how = ARMS[arm]
    task, split = outer_task(how["laws"], beyond=how["beyond"])
    being = organism(width, how["kinds"], task.steps, grown=how["grown"])
    spec, own = being.genome_spec, being.decoder.genome_spec(being.substrate).size
    strategy = Strategy("CMA_ES", POPULATION, sigma=0.4)

    def start(key: Key) -> Genome:
        # nothing can be grown from a genome of zeros
        return jnp.where(jnp.arange(spec.size) < own * how["grown"], spec.init(key=key), 0.0)

    def search(initial: Genome, key: Key) -> Genome:
        return maximise(partial(fitness, being, task, split), spec.size, strategy, GENERATIONS, key=key, initial=initial)[1]

    keys = jax.random.split(jax.random.key(11), seeds)
    initial = jax.vmap(start)(keys)
    centres = jax.jit(jax.vmap(search))(initial, keys)
    live = many(being, question(SHORT))
    lives = jnp.tile(jax.random.split(jax.random.key(13), LIVES), seeds)

    def tested(genomes: Genomes) -> dict[str, Any]:
        errors, answers = live(jnp.repeat(genomes, LIVES, axis=0), lives)
        return {"errors": errors.reshape(seeds, LIVES, -1).tolist(), "answers": answers.reshape(seeds, LIVES, -1).tolist()}

    genes = [spec.unpack(centre) for centre in centres]
    shares = [jax.nn.softmax(branch(g, "decoder/cells").get("leaning", jnp.zeros(1))).tolist() for g in genes]
    result = {**tested(centres), "genes": spec.size, "shares": shares}
    if arm == "genome":
        result["random"] = tested(jnp.concatenate([initial[:, :own], centres[:, own:]], axis=1))
    return result


def by_hand() -> dict[str, dict[str, float]]:
    """Relative errors in the hole and beyond of two networks whose hidden weights are set, not learned, and of a plane."""
    draw = np.random.default_rng(0)
    x, hole, far = (draw.uniform(*ends, (2000, 2)) for ends in ((0.5, 2.0), (1.0, 1.5), BEYOND))

    def squares(x: np.ndarray) -> np.ndarray:
        # ((2.5 m + a / 2.5)^2 - (2.5 m - a / 2.5)^2) / 4 = m a; both are positive wherever a < 6.25 m
        m, a = 2.5 * x[:, 0], x[:, 1] / 2.5
        return np.maximum(np.stack([m + a, m - a], axis=1), 0) ** 2

    def tanhs(x: np.ndarray) -> np.ndarray:
        # Lin, Tegmark & Rolnick 2017: a product from the curvature of four neurons that are hardly driven
        u, v = 0.1 * (x[:, 0] - 1.25), 0.1 * (x[:, 1] - 1.25)
        return np.tanh(1 + np.stack([u + v, -u - v, u - v, v - u], axis=1))

    out = {}
    for name, hidden in (("square", squares), ("tanh", tanhs), ("plane", lambda x: x)):
        weights = np.linalg.lstsq(np.c_[hidden(x), np.ones(len(x))], x.prod(1), rcond=None)[0]
        out[name] = {
            where: float(((np.c_[hidden(z), np.ones(len(z))] @ weights - z.prod(1)) ** 2).mean() / z.prod(1).var())
            for where, z in (("hole", hole), ("beyond", far))
        }
    return out


def width_needed(errors: dict[int, float], limit: float) -> int | None:
    """The smallest width from which on all errors are below a limit."""
    good = [w for w in sorted(errors) if all(e < limit for v, e in errors.items() if v >= w)]
    return good[0] if good else None


def geometric(values: np.ndarray) -> tuple[float, float, float]:
    """Geometric mean over the first axis with its 95% bootstrap interval."""
    mean, lo, hi = (10 ** float(x) for x in interval(np.log10(values), 2000))
    return mean, lo, hi


def by_seed(result: dict[str, Any], where: int) -> np.ndarray:
    """Geometric mean over lives of each outer seed's errors in a range, (seeds,)."""
    return 10 ** np.log10(np.array(result["errors"])[..., where]).mean(-1)


def rows_of(plains: dict[tuple[str, int, int], dict], genomes: dict[tuple[str, int], dict], extra: dict[str, dict]) -> list[dict]:
    """Every row of the result."""
    rows: list[dict[str, Any]] = []

    def add(label: str, values: np.ndarray | float, note: str, **more: Any) -> None:
        mean, lo, hi = geometric(values) if isinstance(values, np.ndarray) else (values, None, None)
        rows.append({"label": label, "measured": mean, "lo": lo, "hi": hi, "unit": "of the variance", "note": note, **more})

    kinds = sorted({kind for kind, _, _ in plains}, key=("tanh", "relu", "square").index)
    for limit in (1e-3, 1e-4):
        for kind in kinds:
            curve = {w: geometric(np.array(r["errors"])[:, 1])[0] for (k, w, p), r in plains.items() if (k, p) == (kind, LONG)}
            rows.append(
                {
                    "label": f"plain {kind}: width needed for an interpolation error below {limit:g}", "unit": "neurons",
                    "measured": width_needed(curve, limit),
                    "note": f"{LONG} passes" if width_needed(curve, limit) else f"{LONG} passes; none of 2 to 256 stays below",
                }
            )  # fmt: skip
    titles = {"square": "2 square neurons set by hand", "tanh": "4 tanh neurons set by hand", "plane": "best plane"}
    for name, found in by_hand().items():
        for where, error in (("interpolation", found["hole"]), ("extrapolation", found["beyond"])):
            add(f"{titles[name]}, {where}", error, "least squares on what they make of the inputs; nothing else is learned")
    for where, index in (("interpolation", 1), ("extrapolation", 2)):
        for kind in kinds:
            for width in (4, 64, 256):
                r = plains[kind, width, LONG]
                note = f"{LONG} passes, 95% over {LIVES} lives; rate {r['rate']:g}, biases {r['bias']:g} by other lives"
                add(f"plain {kind}, {width} neurons, {where}", np.array(r["errors"])[:, index], note)
    for kind in kinds:
        errors = np.array([plains[kind, w, LONG]["errors"] for w in WIDTHS if w >= 16])
        ratio = 10 ** np.log10(errors[..., 2] / errors[..., 1]).mean(0)
        mean, lo, hi = geometric(ratio)
        expected = kind != "square"
        rows.append(
            {
                "label": f"plain {kind}, 16 or more neurons: extrapolation over interpolation error", "measured": mean, "lo": lo,
                "hi": hi, "unit": "times", "target": 100.0 if expected else None, "met": bool(lo > 100) if expected else None,
                "note": "expected above 100: no rule was found" if expected else "the unit that the law is made of",
            }
        )  # fmt: skip
    for kind in ("tanh", "relu"):
        few, most = (np.array(plains[kind, width, LONG]["errors"])[:, 2] for width in (16, 256))
        mean, lo, hi = geometric(most / few)
        rows.append(
            {
                "label": f"plain {kind}: extrapolation error of 256 neurons over that of 16", "measured": mean, "lo": lo,
                "hi": hi, "unit": "times", "target": 1.0, "met": bool(hi >= 1),
                "note": "expected not to improve; met: the interval reaches 1; paired by life",
            }
        )  # fmt: skip
    for name, r in extra.items():
        for where, index in (("interpolation", 1), ("extrapolation", 2)):
            add(f"{name}, {where}", np.array(r["errors"])[:, index], f"95% over {LIVES} lives; rate {r['rate']:g}")
    rows += _evolved_rows(plains, genomes)
    return rows


def _evolved_rows(plains: dict[tuple[str, int, int], dict], genomes: dict[tuple[str, int], dict]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for where, index in (("interpolation", 1), ("extrapolation", 2)):
        for width in sorted({w for _, w in genomes}):
            for kind in ("tanh", "square"):
                if (kind, width, SHORT) not in plains:
                    continue
                r = plains[kind, width, SHORT]
                mean, lo, hi = geometric(np.array(r["errors"])[:, index])
                rows.append(
                    {
                        "label": f"{SHORT} passes, {width} neurons, {where}: plain {kind}, grid", "measured": mean, "lo": lo,
                        "hi": hi, "unit": "of the variance",
                        "note": f"95% over {LIVES} lives; rate {r['rate']:g}, biases {r['bias']:g}",
                    }
                )  # fmt: skip
            for (arm, w), result in genomes.items():
                if w != width or (arm == RANDOM and index == 2):
                    continue
                mean, lo, hi = geometric(by_seed(result, index))
                shares = np.mean(result["shares"], axis=0) if "shares" in result else []
                mix = ", ".join(f"{k} {s:.2f}" for k, s in zip(KINDS, shares, strict=True)) if len(shares) > 1 else ""
                note = f"95% over {len(result['errors'])} searches; {result.get('genes', '')} genes" + f"; {mix}" * bool(mix)
                label = f"{SHORT} passes, {width} neurons, {where}: {arm}"
                rows.append({"label": label, "measured": mean, "lo": lo, "hi": hi, "unit": "of the variance", "note": note})
    for width in sorted({w for _, w in genomes}):
        pairs = [("genome", 1, CONTROL), ("genome", 1, RANDOM), ("genome", 2, CONTROL)]
        pairs += [(arm, 2, CONTROL) for arm, how in ARMS.items() if how["beyond"]]
        for arm, index, rival in pairs:
            if (arm, width) not in genomes or (rival, width) not in genomes:
                continue
            mean, lo, hi = geometric(by_seed(genomes[arm, width], index) / by_seed(genomes[rival, width], index))
            where = ("", "interpolation", "extrapolation")[index]
            claimed = (arm, index) != ("genome", 2)
            rows.append(
                {
                    "label": f"{width} neurons: {where} error of the {arm} over that of {rival}", "measured": mean, "lo": lo,
                    "hi": hi, "unit": "times", "target": 1.0, "met": bool(hi < 1) if claimed else bool(lo <= 1 <= hi),
                    "note": "paired by seed and lives; "
                    + ("met: the interval lies below 1" if claimed else "expected equal; met: the interval holds 1"),
                }
            )  # fmt: skip
    return rows


COLOURS = {"tanh": "#0b4f9e", "relu": "#c45a00", "square": "#2f7d4f"}
MARKS = {
    "rates and scales evolved": ("#9c2f78", "s", "rates and scales evolved"),
    "genome": ("#22262b", "o", "genome"),
    "genome selected beyond the range": ("#7f8792", "^", "genome, selected beyond the range"),
    "genome selected beyond the range on m*a itself": ("#b2182b", "v", "the same, on m*a itself"),
}


def draw(plains: dict[tuple[str, int, int], dict], genomes: dict[tuple[str, int], dict], path: Path) -> None:
    """Interpolation and extrapolation error against width, and what networks of 64 neurons answer along m = a."""
    figure = Figure(figsize=(13.5, 4.9), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    for axis, index, title in (
        (left, 1, "Inside: a hole in the range learned"),
        (middle, 2, "Outside: up to twice the range"),
    ):
        _curves(axis, plains, index)
        for arm, (colour, mark, _) in MARKS.items():
            found = {w: geometric(by_seed(r, index)) for (a, w), r in genomes.items() if a == arm}
            shift = 1.13 ** (list(MARKS).index(arm) - 1.5)
            for w, (mean, lo, hi) in found.items():
                axis.errorbar([w * shift], [mean], [[mean - lo], [hi - mean]], color=colour, marker=mark, ms=5, lw=1.2, zorder=5)
        axis.axhline(1, color="#6b7280", linestyle=":", linewidth=1)
        at, side = (256, "right") if index == 1 else (2, "left")
        axis.text(at, 0.85, "predicting the mean", color="#6b7280", fontsize=8, va="top", ha=side)
        axis.axvline(64, color="#e3e6ea", linewidth=6, zorder=0)
        axis.set(xscale="log", yscale="log", ylim=(1e-10, 100), xlabel="hidden neurons", title=title)
        axis.set_xticks(WIDTHS, [str(w) for w in WIDTHS])
        axis.minorticks_off()
    left.set_ylabel("squared error / variance of m*a there")
    known = by_hand()
    for axis, where in ((left, "hole"), (middle, "beyond")):
        axis.axhline(known["plane"][where], color="#6b7280", linestyle=(0, (5, 3)), linewidth=0.8)
        above = where == "beyond"
        spot = known["plane"][where] * (2.2 if above else 0.85)
        axis.text(256, spot, "best plane", color="#6b7280", fontsize=8, va="bottom" if above else "top", ha="right")
        axis.plot([4], [known["tanh"][where]], "*", color=COLOURS["tanh"], ms=12, zorder=6)
        axis.text(4.5, known["tanh"][where], "4 tanh neurons\nset by hand", color=COLOURS["tanh"], fontsize=8, va="center")
        axis.annotate(
            "2 square neurons set by hand: exact", (2, 1e-10), (2.3, 2.5e-10), color=COLOURS["square"], fontsize=8,
            arrowprops={"arrowstyle": "->", "color": COLOURS["square"]},
        )  # fmt: skip
    _diagonal(right, plains, genomes)
    figure.legend(
        handles=_legend(left, {arm for arm, _ in genomes}), loc="outside lower center", ncols=4, frameon=False, fontsize=8.5
    )
    for axis in (left, middle, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.title.set_fontsize(10)
    figure.savefig(path, dpi=150)


def _curves(axis: Axes, plains: dict[tuple[str, int, int], dict], index: int) -> None:
    for kind, passes, dash in (("relu", LONG, "-"), ("tanh", LONG, "-"), ("square", LONG, "-"), ("tanh", SHORT, "--")):
        widths = [w for w in WIDTHS if (kind, w, passes) in plains]
        if not widths:
            continue
        mean, lo, hi = np.array([geometric(np.array(plains[kind, w, passes]["errors"])[:, index]) for w in widths]).T
        axis.plot(widths, mean, dash, color=COLOURS[kind], lw=1.8)
        axis.fill_between(widths, lo, hi, color=COLOURS[kind], alpha=0.15, lw=0)


def _legend(axis: Axes, arms: set[str]) -> list[Any]:
    lines = [
        axis.plot([], [], color=COLOURS[k], lw=1.8, label=f"plain {k}, {LONG} passes")[0] for k in ("relu", "tanh", "square")
    ]
    lines += axis.plot([], [], "--", color=COLOURS["tanh"], lw=1.8, label=f"plain tanh, {SHORT} passes")
    return lines + [
        axis.plot([], [], color=c, marker=m, lw=0, label=f"{text}, {SHORT} passes")[0]
        for arm, (c, m, text) in MARKS.items()
        if arm in arms
    ]


def _diagonal(axis: Axes, plains: dict[tuple[str, int, int], dict], genomes: dict[tuple[str, int], dict]) -> None:
    m = np.array(DIAGONAL)
    axis.axvspan(0.5, 2, color="#e3e6ea", lw=0)
    axis.text(1.25, -0.8, "learned here", ha="center", va="bottom", fontsize=8, color="#6b7280")
    axis.plot(m, m**2, color="#22262b", lw=5, alpha=0.25, label="m*a")
    for kind in ("relu", "tanh", "square"):
        answers = np.array(plains[kind, 64, LONG]["answers"])
        axis.plot(m, np.median(answers, 0), color=COLOURS[kind], lw=1.8)
        axis.fill_between(m, *np.percentile(answers, [10, 90], axis=0), color=COLOURS[kind], alpha=0.15, lw=0)
    width = max(w for arm, w in genomes if arm == "genome")
    answers = np.array(genomes["genome", width]["answers"]).reshape(-1, len(m))
    axis.plot(m, np.median(answers, 0), "--", color=MARKS["genome"][0], lw=1.4, label=f"genome, {width} neurons")
    axis.legend(loc="upper left", frameon=False, fontsize=8.5)
    axis.set(xlim=(0, 4.5), ylim=(-1, 20), xlabel="m = a", ylabel="answer", title="Why: 64 neurons asked along m = a")


def gather(seeds: int, arms: list[str], widths: list[int]) -> tuple[dict, dict, dict]:
    """Everything measured, from the cache where it is there."""
    plains, genomes, extra = {}, {}, {}
    wanted = [(kind, width, LONG) for width in WIDTHS for kind in ("tanh", "relu", "square")]
    short = [*(("tanh", width, SHORT) for width in SHORT_WIDTHS), ("square", 16, SHORT)]
    for kind, width, passes in [*wanted, *short]:
        plains[kind, width, passes] = kept(f"plain-{kind}-{width}-{passes}", partial(plain, kind, width, passes))
    for arm in arms:
        for width in widths:
            result = kept(f"{arm.replace('*', 'x')}-{width}-{seeds}", partial(evolved, arm, width, seeds))
            genomes[arm, width] = result
            if "random" in result:
                genomes[RANDOM, width] = result["random"] | {"genes": result["genes"]}
    for kind in ("tanh", "relu"):
        make = partial(plain, kind, 64, LONG, rates=FASTER)
        extra[f"plain {kind}, 64 neurons, rates {FASTER[0]:g} to {FASTER[-1]:g}"] = kept(f"faster-{kind}-64-{LONG}", make)
    return plains, genomes, extra


def main() -> None:
    """Measure, draw and write benchmarks/results/lives/laws.json and laws.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="searches of an arm (default 5)")
    parser.add_argument("--arms", nargs="+", default=[CONTROL, "genome"], choices=list(ARMS), help="to search for")
    parser.add_argument(
        "--widths", nargs="+", type=int, default=list(SHORT_WIDTHS), choices=SHORT_WIDTHS, help="hidden neurons of a search"
    )
    options = parser.parse_args()
    prepare_jax()
    plains, genomes, extra = gather(options.seeds, options.arms, options.widths)
    rows = rows_of(plains, genomes, extra)
    lives = GENERATIONS * POPULATION * OUTER_LIVES
    seconds = sum(r["seconds"] for r in (*plains.values(), *extra.values())), sum(r.get("seconds", 0) for r in genomes.values())
    budget = (
        f"plain: {LONG} passes of 1,000 examples in batches of 20, {len(RATES) * len(BIASES)} settings x 4 lives to choose, "
        f"{LIVES} to test; evolved: CMA-ES, {lives:,} lives of {SHORT} passes a search; "
        f"{seconds[0]:.0f} + {seconds[1]:.0f} s in all on a core shared with other work"
    )
    path = write_result(
        "lives", "laws", rows, command="python -m benchmarks.lives.laws", seeds=options.seeds, budget=budget, figure="laws.png"
    )
    draw(plains, genomes, result_path("lives", "laws").with_suffix(".png"))
    print(path)


if __name__ == "__main__":
    main()
