"""Claim 6: does the architecture shape a core that networks trained on different data share?

The essay's planet is the architecture, its continents language, code and vision. Two architectures of the same kernels
(64-32-32-32-10) are trained on each: a plain ReLU chain, and one with a residual stream and layer norms. Language are the
texts and code the sources that come with Python, of which the next character is told from the two before (those of ten
characters); vision are 8x8 digits. All inputs have 64 numbers.

Independent variable: what two networks have in common, architecture, data, both or neither; always with other initial weights.
Arms: trained pairs, and the same pairs untrained as the null. Measure: mean cosine of the two kernels between hidden layers,
after the permutations of all three layers that make them most alike, so that neither inputs nor outputs, which mean nothing
across data, take part. Beside it, without names of neurons in it at all: how much two spectra of singular values overlap, and
the debiased CKA of the last hidden layer's answers to the same noise.

Expected, before the run: networks of one architecture and different data are more alike than networks of neither in common,
beyond what untrained ones are (+); and so are those of the same data (reported, +), but less (reported, +). A pilot on two
seeds from 100 on, with the quick budget, showed what the first effect is made of (plain chains alone), so that each architecture
is reported too; it changed nothing that decides.
"""

import argparse
import ast
import inspect
import typing
from collections import Counter
from functools import cache, partial
from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.figures import points
from benchmarks.hypotheses.chains import Examples, Kernels, he, hidden, taught
from benchmarks.hypotheses.frame import Budget, Claim, Contrast, Measures
from benchmarks.papers.images import digits
from evodev.analysis.matching import match
from evodev.analysis.spectra import cka, spectra
from evodev.types import Inputs, Outputs

SIZES = (64, 32, 32, 32, 10)
INNER = ("hidden1->hidden2", "hidden2->hidden3")
SYMBOLS = "abcdefghijklmnopqrstuvwxyz .\n_()"
DATA, ALIKE = ("language", "code", "vision"), ("both", "architecture", "data", "neither")
MEASURED = ("weights", "spectrum", "answers")


# ---- planets


def plain(kernels: Kernels, inputs: Inputs) -> Outputs:
    """A ReLU chain: its last hidden layer."""
    return hidden(kernels, inputs)[-1]


def residual(kernels: Kernels, inputs: Inputs) -> Outputs:
    """The same kernels with a residual stream, of which each layer reads what a layer norm makes of it: the stream's end."""

    def norm(x: Inputs) -> Inputs:
        return (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-6)

    stream = inputs @ kernels["input->hidden1"]
    for name in INNER:
        stream = stream + jax.nn.relu(norm(stream) @ kernels[name])
    return norm(stream)


PLANETS = {"plain": plain, "residual": residual}


@cache
def said(planet: str) -> Any:
    """What networks of an architecture answer."""
    return lambda kernels, inputs: PLANETS[planet](kernels, inputs) @ kernels["hidden3->output"]


# ---- continents


@cache
def texts() -> dict[str, str]:
    """English and code that come with Python: its topics of help; sources of its modules, without comments and docstrings."""
    from pydoc_data.topics import topics

    trees = [ast.parse(inspect.getsource(module)) for module in (argparse, ast, inspect, typing)]
    for node in (node for tree in trees for node in ast.walk(tree)):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [n for n in body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
            node.__dict__["body"] = kept or [ast.Pass()]
    return {"language": "\n".join(topics.values()), "code": "\n".join(map(ast.unparse, trees))}


@cache
def examples(data: str) -> Examples:
    """Train examples of a continent, inputs centred and of mean square 1."""
    if data == "vision":
        inputs, labels = digits()[0]
    else:
        text = np.array([SYMBOLS.find(c) for c in texts()[data].lower()])
        known = np.array([i for i, c in Counter(text[text >= 0].tolist()).most_common(10)])
        rows = np.flatnonzero((text[:-2] >= 0) & (text[1:-1] >= 0) & np.isin(text[2:], known))
        rows = np.random.default_rng(0).permutation(rows)[:20_000]
        inputs = np.concatenate([np.eye(len(SYMBOLS))[text[rows + i]] for i in range(2)], 1)
        labels = np.argmax(text[rows + 2][:, None] == known, axis=1)
    inputs = inputs - inputs.mean(0)
    return Examples(jnp.asarray(inputs / np.sqrt((inputs**2).mean()), jnp.float32), jnp.asarray(labels, jnp.int32))


# ---- alike


def compared(kernels: list[Kernels], answers: list[Any]) -> dict[str, np.ndarray]:
    """How alike each pair of networks is, by every measure, in the order of ``combinations``."""
    found = [spectra({name: k[name] for name in INNER}) for k in kernels]
    shares = [[np.asarray(s[n].values ** 2 / (s[n].values ** 2).sum()) for n in INNER] for s in found]
    pairs = list(combinations(range(len(kernels)), 2))
    alignment = jax.jit(partial(cka, debiased=True))
    return {
        "weights": np.array([match(*([k[name] for name in INNER] for k in (kernels[i], kernels[j])), free_ends=True).cosine
                             for i, j in pairs]),
        "spectrum": np.array([np.mean([np.minimum(a, b).sum() for a, b in zip(shares[i], shares[j], strict=True)])
                              for i, j in pairs]),
        "answers": np.array([float(alignment(answers[i], answers[j])) for i, j in pairs]),
    }  # fmt: skip


def kinds(cells: list[tuple[str, str]]) -> list[str]:
    """What the two networks of each pair have in common."""
    names = {(True, True): "both", (True, False): "architecture", (False, True): "data", (False, False): "neither"}
    return [names[a[0] == b[0], a[1] == b[1]] for a, b in combinations(cells, 2)]


def shares(values: np.ndarray, of: list[str]) -> dict[str, float]:
    """Variance of pairs' likeness that comes of a shared architecture, of shared data, of both together, and of nothing known.

    Of the four kinds of pairs, each counted alike (a two-way layout of their means).
    """
    own = {kind: values[np.array(of) == kind] for kind in ALIKE}
    both, planet, data, neither = (own[kind].mean() for kind in ALIKE)
    effects = {"architecture": both + planet - data - neither, "data": both + data - planet - neither,
               "interaction": both + neither - planet - data}  # fmt: skip
    parts = {name: (effect / 4) ** 2 for name, effect in effects.items()}
    parts["rest"] = np.mean([v.var() for v in own.values()])
    return {name: float(part / sum(parts.values())) for name, part in parts.items()}


def run(seed: int, budget: Budget) -> Measures:
    """Networks of every architecture on all data, and all pairs of them, trained and not."""
    cells = [(planet, data) for planet in PLANETS for data in DATA for _ in range(budget["networks"])]
    born = [he(SIZES, key=jax.random.fold_in(jax.random.key(seed), i)) for i in range(len(cells))]
    trained, right = [], []
    for i, (planet, data) in enumerate(cells):
        key = jax.random.fold_in(jax.random.key(seed + 1000), i)
        own = taught(born[i], examples(data), said(planet), budget["steps"], 0.005, 0.5, key=key)
        right.append((said(planet)(own, examples(data).inputs).argmax(1) == examples(data).labels).mean())
        trained.append(own)
    noise = jax.random.normal(jax.random.key(seed), (200, SIZES[0]))
    measures: Measures = {"accuracy": np.reshape(right, (2, 3, -1)).mean(2)}
    for name, networks in (("trained", trained), ("untrained", born)):
        answers = [PLANETS[planet](kernels, noise) for (planet, _), kernels in zip(cells, networks, strict=True)]
        found, of = compared(networks, answers), np.array(kinds(cells))
        measures[name] = {m: {kind: values[of == kind].mean() for kind in ALIKE} for m, values in found.items()}
        measures[f"{name}, shares"] = {m: shares(values, list(of)) for m, values in found.items()}
        measures[f"{name}, pairs"] = found["weights"]
        first = np.array([a[0] for a, _ in combinations(cells, 2)])
        # of the pairs that share their architecture alone, those of each
        own = {planet: found["weights"][(of == "architecture") & (first == planet)].mean() for planet in PLANETS}
        measures[name]["weights"] |= own
    return measures


def effect(m: Measures, of: str, measure: str = "weights") -> float:
    """What sharing the architecture, or the data, adds to the likeness of pairs that share nothing else; beyond the untrained."""
    return (m["trained"][measure][of] - m["trained"][measure]["neither"]) - (
        m["untrained"][measure][of] - m["untrained"][measure]["neither"]
    )


def draw(measures: list[Measures], budget: Budget) -> Figure:
    """How alike pairs are by what they share, trained and not; the effects of architecture and data; all pairs of networks."""
    figure = Figure(figsize=(14, 4.7), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.2, 1.1, 1.2))
    shown = ("both", *PLANETS, "data", "neither")
    x = np.arange(len(shown))
    for name, colour, shift in (("trained", "#0b4f9e", -0.08), ("untrained", "0.6", 0.08)):
        points(left, x + shift, [[m[name]["weights"][kind] for kind in shown] for m in measures], color=colour, label=name)
    left.set_xticks(x, ["both", "being\nplain", "being\nresidual", "data", "neither"])
    left.set_xlabel(
        "what two networks share: architecture and data,\narchitecture alone (plain or residual), data alone, neither"
    )
    left.set_ylabel("cosine of inner kernels, after matching")
    left.legend(frameon=False)
    left.set_title("How alike two networks are", loc="left")
    titles = {"weights": "kernels, matched", "spectrum": "singular values", "answers": "answers to noise (CKA)"}
    for row, measure in enumerate(MEASURED):
        for of, colour, shift in (("architecture", "#0b4f9e", 0.12), ("data", "#c45a00", -0.12)):
            values, label = [effect(m, of, measure) for m in measures], None if row else f"same {of}"
            points(middle, row + shift, values, along="x", color=colour, label=label)
    middle.axvline(0, color="0.7", linewidth=0.8, zorder=0)
    middle.text(0.98, 0.5, "expected: all to the right of 0,\nsame architecture further", transform=middle.transAxes, ha="right",
                va="center", color="0.45", fontsize=8)  # fmt: skip
    middle.set_yticks(range(len(MEASURED)), [titles[measure] for measure in MEASURED])
    middle.set_ylim(-0.5, len(MEASURED) - 0.3)
    middle.set_xlabel("likeness added, beyond untrained pairs")
    middle.legend(frameon=False, loc="upper right")
    middle.set_title("What sharing one of them adds", loc="left")
    cells = [(planet, data) for planet in PLANETS for data in DATA for _ in range(budget["networks"])]
    field = np.full((len(cells), len(cells)), np.nan)
    field[np.triu_indices(len(cells), 1)] = np.mean([m["trained, pairs"] for m in measures], 0)
    image = right.imshow(np.fmax(field, field.T), cmap="Blues")
    many = budget["networks"]
    middles = many * np.arange(len(cells) // many) + (many - 1) / 2
    right.set_xticks(middles, [cells[int(i)][1] for i in middles], rotation=40, ha="right")
    right.set_yticks(middles, [" ".join(cells[int(i)]) for i in middles])
    right.axhline(len(cells) / 2 - 0.5, color="w", linewidth=3)
    right.axvline(len(cells) / 2 - 0.5, color="w", linewidth=3)
    figure.colorbar(image, ax=right, label="cosine after matching", shrink=0.85)
    right.set_title("All pairs, trained", loc="left")
    for axis in (left, middle):
        axis.spines[["top", "right"]].set_visible(False)
    return figure


CLAIM = Claim(
    number=6,
    name="planet",
    words="The prediction is that it shares a common core shaped by the architecture, and differs at the margins shaped by the "
    "specific data.",
    hypothesis="Networks of one architecture, trained on different data, grow more alike than networks of different ones.",
    varies="what two trained networks share: architecture, data, both or neither",
    arms=("trained pairs", "untrained pairs"),
    measure="cosine of the kernels between hidden layers after the best permutations; singular values; CKA on noise",
    smallest="Two architectures whose kernels have the same shapes, and data with inputs of one size. Language and code are the "
    "next of three characters, vision 8x8 digits; the essay speaks of transformers.",
    contrasts=(
        Contrast("same architecture less neither, beyond untrained", lambda m: effect(m, "architecture"), expected="+",
                 margin=0.01, unit="cosine"),
        Contrast("both plain less neither, beyond untrained", lambda m: effect(m, "plain"), expected="+", margin=0.01,
                 unit="cosine", decides=False),
        Contrast("both residual less neither, beyond untrained", lambda m: effect(m, "residual"), expected="+", margin=0.01,
                 unit="cosine", decides=False),
        Contrast("same data less neither, beyond untrained", lambda m: effect(m, "data"), expected="+", margin=0.01,
                 unit="cosine", decides=False),
        Contrast("same architecture less same data, beyond untrained", lambda m: effect(m, "architecture") - effect(m, "data"),
                 expected="+", margin=0.01, unit="cosine", decides=False),
        Contrast("share of variance that is the architecture's, less untrained",
                 lambda m: m["trained, shares"]["weights"]["architecture"] - m["untrained, shares"]["weights"]["architecture"],
                 expected="+", margin=0.05, unit="share", decides=False),
        Contrast("same architecture less neither, singular values", lambda m: effect(m, "architecture", "spectrum"),
                 expected="+", margin=0.01, unit="overlap", decides=False),
        Contrast("same architecture less neither, answers to noise", lambda m: effect(m, "architecture", "answers"),
                 expected="+", margin=0.02, unit="CKA", decides=False),
    ),
    budgets={
        "quick": Budget(3, "12 networks, 800 steps each; 66 pairs", {"networks": 2, "steps": 800}),
        "full": Budget(10, "18 networks, 1,500 steps each; 153 pairs", {"networks": 3, "steps": 1500}),
    },
    run=run,
    draw=draw,
)  # fmt: skip
