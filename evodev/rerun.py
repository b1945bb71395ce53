"""A result again: the same search from config.yaml and manifest.json, and whether it ends with the same numbers."""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evodev import workflow
from evodev.baselines import BASELINES
from evodev.files import RunError, fresh_path, proposed
from evodev.manifest import differences
from evodev.runs import Run, load_champion
from evodev.workflow import Say


@dataclass(frozen=True)
class Unequal:
    """Two numbers, or two other things, that should be equal; ``by`` is their distance as a share of the larger."""

    where: str
    before: Any
    after: Any
    by: float


@dataclass(frozen=True)
class Verdict:
    """What was compared, what differs, and how the manifests differ."""

    compared: tuple[str, ...]
    unequal: tuple[Unequal, ...]
    manifests: tuple[str, ...]

    def lines(self) -> list[str]:
        """For a reader."""
        if not self.unequal:
            return [f"matched bit for bit: {', '.join(self.compared)}"]
        worst = max(self.unequal, key=lambda pair: pair.by)
        share = "not comparable" if math.isinf(worst.by) else f"{worst.by:.2g} of it"
        out = [
            f"not matched: {len(self.unequal):,} numbers differ of {', '.join(self.compared)}",
            f"largest difference: {worst.where} was {worst.before}, is {worst.after} ({share})",
        ]
        return [*out, *(f"manifest: {line}" for line in self.manifests or ["nothing that is recorded differs"])]


def rerun(run: Run, *, search: Any, say: Say = lambda line: None) -> tuple[Run, Verdict]:
    """Search (and compare, if the run was compared with the same arms) in ``RUN-rerun``, then set the two side by side.

    A rerun that was broken off before is gone on with.

    Args:
        run: a run that was searched to its end.
        search: takes the new run through its search.
        say: takes lines of progress of the comparison.

    Raises:
        RunError: if the run has no champion that could be matched.
    """
    if not (run.path / "champion.json").exists():
        raise RunError(f"rerun: {run.path} has no champion to be matched; finish it with `{proposed('resume', run.path)}`")
    old = run.comparison()
    again = prepared(run)
    say(f"run: {again.path}")
    search(again)
    names = [name for name in old["arms"] if name in BASELINES] if old else []
    new = workflow.compare_run(again, names=names, say=say) if old else None
    return again, judged(run, again, old, new)


def prepared(run: Run) -> Run:
    """``RUN-rerun``: the one that was broken off, or else a fresh one."""
    base = run.path.with_name(f"{run.path.name}-rerun")
    with contextlib.suppress(ValueError):
        before = Run.open(base)
        done = all((base / name).exists() or not (run.path / name).exists() for name in ("champion.json", "comparison.json"))
        if before.experiment == run.experiment and not done:
            return before
    return Run.create(fresh_path(base), run.experiment, command=proposed("rerun", run.path))


def judged(run: Run, again: Run, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Verdict:
    """Champion, metrics and comparison of two runs of one search."""
    then, now = (load_champion(r.path) for r in (run, again))
    records = run.metrics()
    pairs: dict[str, tuple[Any, Any]] = {"champion": (_genomes(then), _genomes(now))}
    pairs[f"metrics of {len(records)} generations"] = records, again.metrics()
    if old is not None and new is not None:
        pairs[f"comparison of {len(old['arms'])} arms"] = (old, new)
    unequal = tuple(pair for name, (a, b) in pairs.items() for pair in compared(a, b, name))
    return Verdict(tuple(pairs), unequal, tuple(differences(run.manifest(), again.manifest())))


def _genomes(champion: Any) -> dict[str, Any]:
    told = {name: champion.about[name] for name in ("validation", "generation", "is_centroid")}
    return {**told, **{name: genome.tolist() for name, genome in champion.genomes.items()}}


def compared(old: Any, new: Any, where: str) -> Iterator[Unequal]:
    """What differs in two pieces of plain data, whatever was timed left out."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in [name for name in {**old, **new} if name.rpartition("_")[2] != "seconds"]:
            yield from compared(old.get(name, "missing"), new.get(name, "missing"), f"{where}, {name}")
    elif _listed(old) and _listed(new) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            number = a.get("generation", i) if isinstance(a, Mapping) else i
            yield from compared(a, b, f"{where} {number}")
    elif old != new and not (old != old and new != new):  # NaN is not equal to itself
        yield Unequal(where, old, new, _share(old, new))


def _listed(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _share(old: Any, new: Any) -> float:
    numbers = all(isinstance(value, int | float) and math.isfinite(value) for value in (old, new))
    return abs(old - new) / max(abs(old), abs(new)) if numbers else math.inf
