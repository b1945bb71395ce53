"""What the commands do, as library calls: search, compare, report and grow on run directories."""

import dataclasses
import json
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import yaml

from evodev import devices
from evodev.across import across_runs
from evodev.baselines import Setting
from evodev.chunks import Chunk
from evodev.comparison import champion_arms, judge, synapses_of
from evodev.experiment import Experiment, from_plain, to_plain, trajectory
from evodev.files import RunError, proposed, refuse_existing, write_files, write_json, write_new
from evodev.health import health
from evodev.network import Network
from evodev.processes import Interrupted, end_on_sigterm, only_writer, stop_on_signal
from evodev.report import ReportData
from evodev.runs import Champion, Run, load_champion
from evodev.search import Search, SearchState

SECONDS_BETWEEN_CHECKPOINTS = 5.0
Watcher = Callable[[Search, SearchState, list[dict[str, Any]]], None]
Say = Callable[[str], None]
# pictures and exports take seconds to import and are imported where they are made: a search waits for none of them


def search(run: Run, *, engine: Search | None = None, watch: Watcher = lambda *_: None, warn: Say = warnings.warn) -> SearchState:
    """Run a search to its end, from its last good checkpoint if there is one.

    Of many processes this is what the first does, while the others :func:`follow`.

    Args:
        run: the run directory; metrics, checkpoints and the champion are written there.
        engine: the run's search, where somebody has made it already.
        watch: called after each block.
        warn: takes a line about a damaged checkpoint.

    Raises:
        Interrupted: after Ctrl-C or SIGTERM, once the search is checkpointed.
        Lost: if another process of the run is gone; the checkpoints are there to go on from.
    """
    with devices.noticing(f"; go on with: {proposed('resume', run.path)}"), stop_on_signal() as stop, run.writing():
        engine = engine or run.experiment.search()
        devices.shared_text(json.dumps({"experiment": to_plain(run.experiment), "chunk": engine.chunk}))
        state = engine.start()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            state = run.restore(state) or state
        for warning in caught:
            if "checkpoint" in str(warning.message):
                warn(str(warning.message))
        run.forget_after(int(state.generation))
        state = devices.shared(state)
        saved = time.monotonic()
        asked = devices.anyone(stop.is_set())
        while int(state.generation) < run.experiment.schedule.generations:
            if asked:
                raise Interrupted(run.path, stop.by)
            began = time.perf_counter()
            state, records = engine.advance(state)
            seconds = (time.perf_counter() - began) / len(records)
            records = [{**record, "seconds": seconds} for record in records]
            run.append_metrics(records)
            watch(engine, state, records)
            last = int(state.generation) >= run.experiment.schedule.generations
            asked = devices.anyone(stop.is_set())
            if last or asked or time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                run.save(state)
                saved = time.monotonic()
        run.save_champion(state)
        save_front(run)
        if devices.anyone(stop.is_set()):  # in the last block: there is a champion, but nobody wants to wait for what follows
            raise Interrupted(run.path, stop.by)
    return state


def follow() -> int:
    """What a process other than the first does: every block of every search that the first runs, and no file.

    Returns:
        Its exit code, as that of the first.

    Raises:
        Lost: if another process is gone.
    """
    with devices.noticing(), stop_on_signal() as stop:
        while told := json.loads(devices.shared_text()):
            engine = from_plain(Experiment, told["experiment"]).search()
            engine.chunk = Chunk(*told["chunk"])
            state = devices.shared(engine.start())
            asked = devices.anyone(stop.is_set())
            while int(state.generation) < engine.schedule.generations and not asked:
                state, _ = engine.advance(state)
                asked = devices.anyone(stop.is_set())
            if int(state.generation) < engine.schedule.generations or devices.anyone(stop.is_set()):
                devices.leave()
                return Interrupted(Path(), stop.by).code
    devices.leave()
    return 0


def alone() -> None:
    """The first process has no further search, and goes on without the others."""
    if devices.together():
        with devices.noticing():
            devices.shared_text(json.dumps(None))
        devices.leave()


def save_front(run: Run) -> None:
    """front.json of a search by several objectives: the first front of its last generation, on its train lives."""
    last = next(iter(run.metrics()[-1:]), {})
    if "front" in last:
        about = {"generation": last["generation"], "split": "train", "objectives": list(run.experiment.fitness.objectives)}
        run.write_json("front.json", {"schema_version": 1, **about, "front": last["front"]})


def compare_run(run: Run, *, names: Sequence[str] | None = None, say: Say = lambda line: None) -> dict[str, Any]:
    """Champion against baselines and controls, the routine ones or those named; writes and returns comparison.json.

    Raises:
        RunError: if the run has no champion yet, or another process writes there.
        ValueError: for a name that no baseline has.
        Interrupted: after SIGTERM; arms that were measured are kept.
    """
    with end_on_sigterm(run.path), run.writing("compare"):
        result = _compared(run, names, say)
        run.write_json("comparison.json", result)
    return result


def _compared(run: Run, names: Sequence[str] | None, say: Say) -> dict[str, Any]:
    champion = load_champion(run.path)
    experiment = run.experiment
    metrics = run.metrics()
    began = time.perf_counter()
    champion_genome, organism = champion.genomes["champion"], experiment.organism
    setting = Setting(
        organism=organism,
        champion=champion_genome,
        initial=champion.genomes["initial"],
        synapses=synapses_of(organism, champion_genome, key=jax.random.key(experiment.seed)),
        task=experiment.task,
        strategy=experiment.strategy,
        schedule=experiment.schedule,
        fitness=experiment.fitness,
        budget=experiment.search().lives_at(metrics[-1]["generation"] if metrics else 0),
        evolve=experiment.comparison.evolve_baselines,
        seed=experiment.seed,
    )
    result = judge(
        setting,
        champion_arms(organism, champion_genome, champion.genomes["centroid"]),
        experiment.comparison,
        names=names,
        selected=champion.about["validation"],
        kept=run.arms,
        say=say,
    )
    result["health"] = health(metrics)
    result["ledger"]["search"]["seconds"] = sum(r.get("seconds", 0.0) for r in metrics)
    result["ledger"]["search_seconds"] = result["ledger"]["search"]["seconds"]
    result["ledger"]["comparison_seconds"] = time.perf_counter() - began
    return result


def comparison_of(run: Run, *, say: Say = lambda line: None) -> dict[str, Any]:
    """comparison.json if the run has one, else :func:`compare_run`."""
    return run.comparison() or compare_run(run, say=say)


def report_run(run: Run) -> Path:
    """(Re)draw report.html and its figures; returns the page's path."""
    from evodev.report.page import build

    with end_on_sigterm(run.path), run.writing("report"):
        page, figures = build(report_data(run, load_champion(run.path), run.comparison()))
        write_files(run.path, {**figures, "report.html": page.encode()})
    return run.path / "report.html"


def report_data(run: Run, champion: Champion, comparison: dict[str, Any] | None) -> ReportData:
    """What the report of a run shows; ``comparison`` may be that of several runs."""
    about = run.manifest()
    return ReportData(
        name=run.path.name,
        command=about.get("command", ""),
        comparison=comparison,
        metrics=run.metrics(),
        manifest=about,
        config=yaml.safe_dump(to_plain(run.experiment), sort_keys=False),
        organism=champion.organism,
        genomes=champion.genomes,
    )


def report_seeds(base: Path, runs: Sequence[Run]) -> Path:
    """Draw ``base``'s report.html and figures over the seeds that were compared; returns the page's path.

    Search, champion and genome on it are those of the seed that did best on validation.

    Raises:
        RunError: if fewer than two of them were compared.
    """
    from evodev.report.page import build

    compared = [run for run in runs if (run.path / "comparison.json").exists()]
    if len(compared) < 2:
        raise RunError(f"run: {len(compared)} of {len(runs)} seeds in {base} compared; `evodev compare` does that, then report")
    merged = merge_seeds(base, compared)
    champions = {run.path.name: load_champion(run.path) for run in compared}
    best = max(compared, key=lambda run: champions[run.path.name].about["validation"])
    note = f"Search, champion and genome below are those of {best.path.name}, the best on validation of {len(compared)} seeds."
    missing = [run.path.name for run in runs if run not in compared]
    note += f" Not compared yet: {', '.join(missing)}." if missing else ""
    data = report_data(best, champions[best.path.name], merged)
    page, figures = build(dataclasses.replace(data, name=base.name, seeds_note=note))
    with only_writer(base, "report"):
        write_files(base, {**figures, "report.html": page.encode()})
    return base / "report.html"


def search_seeds(base: Path, experiment: Experiment, seeds: int, *, command: str = "") -> list[Run]:
    """Run directories ``base/seed-<n>`` for consecutive seeds, made but not yet searched."""
    if base.exists():
        raise RunError(f"out: {base} exists already; choose another --out")
    runs = []
    for number in range(experiment.seed, experiment.seed + seeds):
        own = dataclasses.replace(experiment, seed=number)
        runs.append(Run.create(base / f"seed-{number}", own, command=command))
    return runs


def merge_seeds(base: Path, runs: Sequence[Run]) -> dict[str, Any]:
    """The comparison over the seeds of :func:`search_seeds`; writes and returns ``base``'s comparison.json."""
    merged = compare_runs(runs)
    with only_writer(base, "report"):
        write_json(base / "comparison.json", merged)
    return merged


def compare_runs(runs: Sequence[Run], *, names: Sequence[str] | None = None, say: Say = lambda line: None) -> dict[str, Any]:
    """One run's comparison, or several runs' with intervals over their seeds; of the arms named, if any are.

    Raises:
        RunError: if runs differ in more than their seed, or two have the same: then they are no independent searches of one
            kind, and what is said over seeds would be wrong.
    """
    if len(runs) == 1:
        return compare_run(runs[0], names=names, say=say)
    refuse_unlike(runs)
    if names is not None:
        return across_runs([compare_run(run, names=names, say=say) for run in runs])
    return across_runs([comparison_of(run, say=say) for run in runs])


def refuse_unlike(runs: Sequence[Run]) -> None:
    """Stop before runs are merged that are not the same search on different seeds.

    Raises:
        RunError: naming two that have the same seed, or what two differ in.
    """
    seen: dict[int, Run] = {}
    for run in runs:
        parts, like = (trajectory(r.experiment) for r in (run, runs[0]))
        unlike = [name for name in parts if parts[name] != like[name] and name != "seed"]
        if unlike:
            raise RunError(f"compare: {runs[0].path} and {run.path} differ in {unlike[0]}; only seeds of one search are merged")
        if run.experiment.seed in seen:
            before = seen[run.experiment.seed].path
            raise RunError(f"compare: {before} and {run.path} have the same seed; one search counts once")
        seen[run.experiment.seed] = run


def grow(champion: Champion, out: Path) -> tuple[Network, list[Path]]:
    """Grow a champion and export it: npz, safetensors, GraphML, pictures, and ONNX where the extra ``onnx`` is installed.

    Returns:
        The network and the files' paths.

    Raises:
        RunError: if a file is there already.
    """
    from evodev.exports import EXPORTS, pictures

    refuse_existing(out, EXPORTS)  # before anything is worked out
    organism = champion.organism
    genome, key = champion.genomes["champion"], jax.random.key(champion.experiment.seed)
    network, _ = organism.develop(genome, key=key)
    files = {name: export(organism.substrate, network) for name, export in EXPORTS.items()}
    files |= pictures(champion.experiment.decoder, organism.split(genome)[0], organism.substrate, network, key=key)
    return network, write_new(out, files)
