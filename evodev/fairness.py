"""Which rules of a fair comparison hold in the one at hand, and what is missing where they do not.

The rules are what a sceptical reviewer of a claim of sample efficiency asks for. Each is checked against what the comparison
contains, never taken on trust; where nothing in a comparison could tell, it says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Holds = tuple[bool | None, str]


@dataclass(frozen=True)
class Need:
    """Arms of which one must be there.

    Attributes:
        what: they stand for.
        arms: beginnings of their names.
    """

    what: str
    arms: tuple[str, ...]

    def met(self, names: Sequence[str]) -> bool:
        """Whether an arm of these names is there."""
        return any(name.startswith(self.arms) for name in names)


TUNED = (
    Need("a grid of rates and scales", ("dense, tuned backprop",)),
    Need("hyperparameters evolved with the search's own budget", ("dense + evolved hyperparameters",)),
    Need("optimiser, schedule and width", ("dense, tuned optimiser",)),
)
META = (
    Need("MAML", ("MAML",)),
    Need("first-order MAML", ("first-order MAML",)),
    Need("Reptile", ("Reptile",)),
    Need("ANIL", ("ANIL",)),
    Need("multi-task pretraining", ("multi-task pretraining",)),
    Need("an evolution strategy on direct weights", ("ES on direct weights",)),
    Need("random search", ("random search",)),
    Need("an oracle", ("oracle",)),
)
GENOMES = (
    Need("a random genome", ("random genome",)),
    Need("generation zero", ("initial genome",)),
    Need("a shuffled genome", ("shuffled genome",)),
    Need("weights shuffled within a layer", ("champion's mask, shuffled weights",)),
    Need("Gaussian weights of the same moments", ("champion's mask, fresh weights",)),
    Need("neutral drift", ("neutral drift",)),
)
MASKS = (
    Need("the same density", ("rewired mask, same density", "random sparse")),
    Need("the same layer densities", ("rewired mask, same layers",)),
    Need("the same degrees", ("rewired mask, same degrees",)),
    Need("neurons relabelled", ("neurons relabelled",)),
    Need("the mask with fresh weights", ("champion's mask, fresh weights",)),
    Need("SNIP", ("SNIP",)),
    Need("SynFlow", ("SynFlow",)),
    Need("a lottery ticket", ("lottery ticket",)),
    Need("RigL", ("RigL",)),
    Need("a dense network of as many synapses", ("dense of equal synapses",)),
)
FACTORIAL = (Need("topology x weights x rates x read-out", ("factorial",)),)
GEOMETRY = (Need("local masks or a convolutional network, given the same geometry", ("locally connected", "CNN")),)
SEEDS = 10
"""Independent searches that a claim needs."""


def _present(comparison: Mapping[str, Any], needs: Sequence[Need]) -> Holds:
    names = list(comparison["arms"])
    missing = [need.what for need in needs if not need.met(names)]
    return not missing, f"missing: {', '.join(missing)}" if missing else f"all there: {', '.join(n.what for n in needs)}"


def _tuned(comparison: Mapping[str, Any]) -> Holds:
    holds, why = _present(comparison, TUNED)
    return holds, f"{why}; on validation lives only, their cost is in the ledger"


def _counted(comparison: Mapping[str, Any]) -> Holds:
    ledger = comparison["ledger"]
    known = {"search", "baselines", "break_even_lives"} <= set(ledger)
    even = ledger.get("break_even_lives")
    when = "no number of test lives" if even is None else f"{even:,.0f} test lives"
    return known, f"both ledgers are printed; the search has paid for itself after {when}"


def _levels(comparison: Mapping[str, Any]) -> Holds:
    levels, curse = comparison.get("levels") or {}, comparison.get("winners_curse")
    wanted = {"train", "validation", "shifted", "another size", "another family"}
    missing = [f"lives at level {name!r}" for name in sorted(wanted - set(levels))]
    missing += [] if curse else ["the champion on fresh lives of the family that chose it"]
    missing += [] if any("centroid" in name for name in comparison["arms"]) else ["the centroid"]
    return not missing, f"missing: {', '.join(missing)}" if missing else "unseen samples, tasks, ranges, sizes and family"


def _calibrated(comparison: Mapping[str, Any]) -> Holds:
    arm = comparison["arms"].get("neurons relabelled")
    if arm is None or "aulc_minus_champion" not in arm["scores"]:
        return None, "the test suite calibrates (random labels, planted genome, false positives); not repeated in this run"
    off = abs(arm["scores"]["aulc_minus_champion"]["value"])
    return off < 1e-3, f"relabelled neurons differ by {off:.1e} in AULC; the test suite does the others"


def _seeds(comparison: Mapping[str, Any]) -> Holds:
    many = comparison.get("seeds", 1)
    few = f"{many} outer seed{'s' * (many > 1)}, a claim needs {SEEDS}"
    return many >= SEEDS, f"{many} outer seeds" if many >= SEEDS else few


def rules(comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``rule``, ``name``, ``holds`` (None: nothing here can tell) and ``why`` of each rule of a comparison.

    Args:
        comparison: the contents of comparison.json, arms and ledger filled.
    """
    found: tuple[tuple[str, Holds], ...] = (
        ("backprop is tuned harder than ourselves", _tuned(comparison)),
        (
            "equal inner samples and steps",
            (True, "every arm lives the same lives, step by step; passes over a sample are counted"),
        ),
        ("the outer loop is accounted for", _counted(comparison)),
        ("strong meta-learners at the same outer budget", _present(comparison, META)),
        ("controls of the genome", _present(comparison, GENOMES)),
        ("controls of the mask", _present(comparison, MASKS)),
        ("topology, weights, rule and read-out told apart", _present(comparison, FACTORIAL)),
        ("matched budgets and the same geometry", _present(comparison, GEOMETRY)),
        ("held-out levels, the centroid, the winner's curse", _levels(comparison)),
        (
            "jumpstart, slope, thresholds and asymptote apart",
            (True, "all are in the table; a life that fails a threshold is censored"),
        ),
        ("the unit is the outer seed", _seeds(comparison)),
        ("signs written down before the run", (None, "a run cannot tell; benchmarks/ state theirs in their first lines")),
        ("calibrations", _calibrated(comparison)),
    )
    return [
        {"rule": number, "name": name, "holds": holds, "why": why} for number, (name, (holds, why)) in enumerate(found, start=1)
    ]
