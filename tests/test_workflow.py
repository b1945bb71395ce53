import json
import os
import resource
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from safetensors.numpy import load_file

from evodev import exports, workflow
from evodev.baselines import BASELINES
from evodev.comparison import CENTROID, CHAMPION
from evodev.decoders.base import Tissue
from evodev.decoders.cells.types import CellTypes
from evodev.files import RunError, sealed
from evodev.fitness import Fitness
from evodev.processes import Interrupted
from evodev.rerun import judged, prepared, rerun
from evodev.runs import Run, load_champion
from evodev.search import Search, SearchState
from tests.tiny import CHAIN, DIRECT, digits_experiment

pytestmark = pytest.mark.usefixtures("one_device")
EXPERIMENT = digits_experiment()
FEW = {name: BASELINES[name] for name in ("initial genome", "1-NN on inputs")}


@pytest.fixture(scope="module")
def engine() -> Search:
    """The program of one device, compiled once for all searches that need not be those of another process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_device_count", lambda: 1)
        return EXPERIMENT.search()


@pytest.fixture(scope="module")
def finished(engine: Search, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run searched to its end on one device, compared with few arms and reported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "local_device_count", lambda: 1)
        patch.setattr("evodev.comparison.BASELINES", FEW)
        run = Run.create(tmp_path_factory.mktemp("runs") / "finished", EXPERIMENT, command="evodev search")
        workflow.search(run, engine=engine)
        workflow.compare_run(run)
        workflow.report_run(run)
    return run


def _numbers(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]


def test_a_search_leaves_metrics_a_checkpoint_and_a_champion(finished: Run) -> None:
    assert [record["generation"] for record in finished.metrics()] == [1, 2]
    champion = load_champion(finished.path)
    assert champion.experiment == EXPERIMENT
    validation = [record["validation_champion"] for record in finished.metrics()]
    assert champion.about["validation"] == pytest.approx(max(validation))


def test_a_finished_search_has_nothing_left_to_do(finished: Run, engine: Search) -> None:
    before, metrics = (finished.path / "champion.safetensors").read_bytes(), finished.metrics()
    seen: list[int] = []
    state = workflow.search(finished, engine=engine, watch=lambda engine, state, records: seen.append(1))
    assert int(state.generation) == EXPERIMENT.schedule.generations
    assert not seen
    assert (finished.path / "champion.safetensors").read_bytes() == before
    assert finished.metrics() == metrics


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_search_is_checkpointed_and_ends_as_if_it_had_not_been(
    finished: Run, engine: Search, tmp_path: Path, number: int
) -> None:
    run = Run.create(tmp_path / "stopped", EXPERIMENT)
    before = signal.getsignal(signal.SIGINT)

    def stop(searching: Any, state: SearchState, records: Any) -> None:
        os.kill(os.getpid(), number)

    with pytest.raises(Interrupted, match=f"go on with: evodev resume {run.path}") as caught:
        workflow.search(run, engine=engine, watch=stop)
    assert caught.value.code == (130 if number == signal.SIGINT else 0)
    assert signal.getsignal(signal.SIGINT) == before
    assert [record["generation"] for record in run.metrics()] == [1]
    assert not (run.path / "champion.json").exists()
    with pytest.raises(RunError, match="has no champion yet; finish it with `evodev resume"):
        workflow.compare_run(run)

    # metrics beyond the checkpoint, as a kill would leave them, are written again
    run.append_metrics([{"generation": 2, "fitness_mean": 99.0}])
    # as another process would: compiled anew
    workflow.search(Run.open(run.path))
    assert _numbers(run.metrics()) == _numbers(finished.metrics())
    assert (run.path / "champion.safetensors").read_bytes() == (finished.path / "champion.safetensors").read_bytes()


def test_a_search_stopped_in_its_last_block_has_a_champion_and_stops(finished: Run, engine: Search, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "late", EXPERIMENT)

    def stop(searching: Any, state: SearchState, records: Any) -> None:
        if int(state.generation) == EXPERIMENT.schedule.generations:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        workflow.search(run, engine=engine, watch=stop)
    assert (run.path / "champion.safetensors").read_bytes() == (finished.path / "champion.safetensors").read_bytes()
    seen: list[int] = []
    workflow.search(Run.open(run.path), engine=engine, watch=lambda engine, state, records: seen.append(1))
    assert not seen, "there is nothing left to search, so that the comparison is next"


def test_a_search_stopped_before_it_has_begun_has_lost_nothing(finished: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = finished.metrics()
    short = replace(EXPERIMENT, schedule=replace(EXPERIMENT.schedule, generations=3))

    def stop(run: Run, template: SearchState) -> None:
        os.kill(os.getpid(), signal.SIGTERM)  # while programs are compiled and checkpoints read

    monkeypatch.setattr(Run, "restore", stop)
    monkeypatch.setattr(Run, "forget_after", lambda run, generation: None)
    with pytest.raises(Interrupted):
        workflow.search(replace(finished, experiment=short))
    assert finished.metrics() == before


def test_a_search_on_a_full_disk_says_so_and_goes_on_where_it_was(finished: Run, engine: Search, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", EXPERIMENT)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(searching: Any, state: SearchState, records: Any) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # files may still be made, but nothing be written into them

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workflow, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
        try:
            with pytest.raises(RunError, match=rf"checkpoint: cannot write to .*Earlier ones stay; .* evodev resume {run.path}"):
                workflow.search(run, engine=engine, watch=fill)
            with pytest.raises(RunError, match=rf"File too large. What was written before .* evodev resume {run.path}"):
                workflow.search(run, engine=engine)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    workflow.search(run, engine=engine)
    assert _numbers(run.metrics()) == _numbers(finished.metrics())
    assert (run.path / "champion.safetensors").read_bytes() == (finished.path / "champion.safetensors").read_bytes()


def test_a_clock_that_jumps_changes_nothing(
    finished: Run, engine: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps = iter([1e9, 0.0, 2e9, -1e9] * 10_000)
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    run = Run.create(tmp_path / "run", EXPERIMENT)
    workflow.search(run, engine=engine)
    workflow.search(Run.open(run.path), engine=engine)
    assert _numbers(run.metrics()) == _numbers(finished.metrics())
    assert all(0 <= record["seconds"] < 600 for record in run.metrics())
    assert (run.path / "champion.safetensors").read_bytes() == (finished.path / "champion.safetensors").read_bytes()


def test_a_comparison_that_is_terminated_keeps_its_arms(finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = replace(finished, path=tmp_path / "run")
    run.path.mkdir()
    for name in ("champion.json", "champion.safetensors", "metrics.jsonl"):
        run.write_bytes(name, (finished.path / name).read_bytes())
    monkeypatch.setattr("evodev.comparison.BASELINES", FEW)
    said: list[str] = []

    def stop(line: str) -> None:
        said.append(line)
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match="go on with: evodev resume") as caught:
        workflow.compare_run(run, say=stop)
    assert caught.value.code == 0
    assert said == [f"{CHAMPION}: done"]
    assert len(run.arms) == 1
    assert not (run.path / "comparison.json").exists()
    with run.writing():
        pass


def test_a_search_by_several_objectives_leaves_its_front(finished: Run, tmp_path: Path) -> None:
    assert not (finished.path / "front.json").exists()
    run = Run.create(tmp_path / "run", replace(EXPERIMENT, fitness=Fitness(objectives=("aulc", "synapses"))))
    workflow.search(run)
    front = run.read_json("front.json")
    assert (front["generation"], front["split"], front["objectives"]) == (2, "train", ["aulc", "synapses"])
    assert front["front"] == run.metrics()[-1]["front"]
    assert load_champion(run.path).experiment == run.experiment == Run.open(run.path).experiment


def test_a_comparison_is_written_with_both_ledgers(finished: Run) -> None:
    comparison = json.loads((finished.path / "comparison.json").read_text())
    assert set(comparison["arms"]) == {CHAMPION, CENTROID, *FEW}
    assert comparison["ledger"]["outer_lifetimes"] == EXPERIMENT.search().lives_at(2)
    assert comparison["ledger"]["search_seconds"] > 0
    assert workflow.comparison_of(finished) == comparison


def test_a_report_is_a_page_with_its_figures_beside_it(finished: Run) -> None:
    page = (finished.path / "report.html").read_text()
    assert CHAMPION in page
    assert page.count("data:image/png") >= len(list(finished.path.glob("*.png"))) > 0


def _reseeded(run: Run, seed: int, **changes: Any) -> Run:
    """The same directory as if it were the search on another seed."""
    return replace(run, experiment=replace(run.experiment, seed=seed, **changes))


def test_what_is_not_the_same_search_on_another_seed_is_not_merged(finished: Run) -> None:
    with pytest.raises(RunError, match=r"finished and .*finished have the same seed; one search counts once"):
        workflow.compare_runs([finished, finished])
    for changes in ({"fitness": Fitness(activity_cost=1.0)}, {"schedule": replace(EXPERIMENT.schedule, lives=3)}):
        with pytest.raises(RunError, match=f"differ in {next(iter(changes))}; only seeds of one search are merged"):
            workflow.compare_runs([finished, _reseeded(finished, 1, **changes)])
    where = replace(EXPERIMENT.schedule, chunk=1)  # the same numbers
    assert workflow.compare_runs([finished, _reseeded(finished, 1, schedule=where)])["seeds"] == 2


def test_seeds_are_reported_together(finished: Run, tmp_path: Path) -> None:
    base = tmp_path / "many"
    runs = workflow.search_seeds(base, EXPERIMENT, 3)
    for run in runs[:2]:
        for name in ("champion.json", "champion.safetensors", "metrics.jsonl", "comparison.json"):
            run.write_bytes(name, (finished.path / name).read_bytes())
    about = runs[1].read_json("champion.json")
    better = about | {"validation": about["validation"] + 1}
    runs[1].write_json("champion.json", sealed({name: value for name, value in better.items() if name != "seal"}))
    found = Run.of_seeds(base)
    assert [run.path.name for run in found] == ["seed-0", "seed-1", "seed-2"]
    assert Run.of_seeds(finished.path) == Run.of_seeds(tmp_path / "nowhere") == []
    page = workflow.report_seeds(base, found).read_text()
    assert json.loads((base / "comparison.json").read_text())["seeds"] == 2
    assert "2 outer seeds: a claim about the method takes 10; with 2 seeds no difference can be significant" in page
    assert "those of seed-1, the best on validation of 2 seeds. Not compared yet: seed-2." in page
    assert {"report.html", "differences.png", "profiles.png", "starts.png"} <= {path.name for path in base.iterdir()}
    with pytest.raises(RunError, match=r"1 of 2 seeds in .*many compared"):
        workflow.report_seeds(base, found[1:])


def test_several_runs_are_compared_over_their_seeds(finished: Run) -> None:
    merged = workflow.compare_runs([finished, _reseeded(finished, 1)])
    assert "2 searches" in merged["intervals"]
    assert (merged["seeds"], merged["arms"]["initial genome"]["statistics"]["difference"]["p"]) == (2, 0.5)
    own = json.loads((finished.path / "comparison.json").read_text())["arms"][CHAMPION]["scores"]["aulc"]["value"]
    assert merged["arms"][CHAMPION]["scores"]["aulc"] == pytest.approx({"value": own, "lo": own, "hi": own})


def test_seeds_are_runs_of_their_own(tmp_path: Path) -> None:
    runs = workflow.search_seeds(tmp_path / "many", EXPERIMENT, 3)
    assert [(run.path.name, run.experiment.seed) for run in runs] == [("seed-0", 0), ("seed-1", 1), ("seed-2", 2)]
    with pytest.raises(RunError, match="many exists already"):
        workflow.search_seeds(tmp_path / "many", EXPERIMENT, 1)


def test_growth_in_steps_is_filmed() -> None:
    @dataclass(frozen=True)
    class InTwoSteps(CellTypes):
        def stages(self, genes: Any, substrate: Any, *, key: Any) -> list[Tissue]:
            grown = self.express(genes, substrate, key=key)
            return [replace(grown, alive=grown.alive | {"hidden1": jnp.eye(5)[0]}), grown]

    def files(cells: CellTypes) -> dict[str, bytes]:
        decoder = replace(DIRECT, cells=cells)
        genome, key = decoder.genome_spec(CHAIN).init(key=jax.random.key(0)), jax.random.key(1)
        return exports.pictures(decoder, genome, CHAIN, decoder.grow(genome, CHAIN, key=key), key=key)

    still, moving = files(CellTypes()), files(InTwoSteps())
    assert set(still) == {"network.png", "matrices.png", "expression.png"}, "six inputs in a row have no receptive field"
    assert set(moving) == {*still, "growth.gif"}
    assert moving["growth.gif"].startswith(b"GIF89a")
    assert moving["network.png"] == still["network.png"]


def test_a_grown_champion_is_exported_whole_in_every_format(finished: Run, tmp_path: Path) -> None:
    champion = load_champion(finished.path)
    network, paths = workflow.grow(champion, tmp_path / "network")
    assert all(path.stat().st_size for path in paths)
    arrays, zipped = load_file(tmp_path / "network" / "network.safetensors"), np.load(tmp_path / "network" / "network.npz")
    graph = nx.read_graphml(tmp_path / "network" / "network.graphml")
    for name, weights in network.weights.items():
        np.testing.assert_array_equal(arrays[f"weights/{name}"], weights)
        np.testing.assert_array_equal(zipped[f"masks/{name}"], network.masks[name])
    assert graph.number_of_nodes() == sum(p.size for p in EXPERIMENT.substrate.populations)
    assert graph.number_of_edges() == sum(int(mask.sum()) for mask in network.masks.values())
    pre, post = "input", "hidden"
    i, j = (int(k[0]) for k in np.nonzero(np.asarray(network.masks[f"{pre}->{post}"])))
    assert graph.edges[f"{pre}:{i}", f"{post}:{j}"]["weight"] == pytest.approx(float(network.weights[f"{pre}->{post}"][i, j]))
    with pytest.raises(RunError, match=r"network.npz exists already; choose another --out"):
        workflow.grow(champion, tmp_path / "network")


def test_a_rerun_beside_the_run_matches_bit_for_bit_and_a_changed_one_does_not(finished: Run) -> None:
    before = {p: p.read_bytes() for p in finished.path.rglob("*") if p.is_file()}
    again, verdict = rerun(finished, search=workflow.search)
    assert again.path == finished.path.with_name("finished-rerun")
    assert verdict.unequal == ()
    assert verdict.lines() == ["matched bit for bit: champion, metrics of 2 generations, comparison of 4 arms"]
    assert {p: p.read_bytes() for p in finished.path.rglob("*") if p.is_file()} == before

    # what was rerun is a run like any other: with one number changed, it no longer is
    records = again.metrics()
    records[1]["density"] += 0.25
    (again.path / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    (again.path / "manifest.json").write_text(json.dumps(again.manifest() | {"devices": 7}))
    told = judged(finished, again, finished.comparison(), again.comparison())
    assert [(u.where, u.before, u.after) for u in told.unequal] == [("metrics of 2 generations 2, density", 0.5, 0.75)]
    assert "devices: 1, now 7" in told.manifests
    # a finished one is not written over
    assert prepared(finished).path == finished.path.with_name("finished-rerun-2")
