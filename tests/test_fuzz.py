"""Whatever is written in a file, stands in a genome or is typed: it is taken, or refused in one line; nothing else happens."""

import copy
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from evodev import cli
from evodev.experiment import Experiment, from_plain, to_plain
from evodev.exports import as_arrays
from evodev.progress import search_progress
from evodev.runs import Champion, Run, load_champion, load_experiment
from tests.tiny import digits_experiment

DATA = Path(__file__).parent / "data"
EXPERIMENT = digits_experiment()
few = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def _tried(call: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
    """What a call returns, or what it says is wrong; any other exception is passed on."""
    try:
        return call(*arguments), ""
    except ValueError as error:
        return None, str(error)


# configurations

junk = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 70), st.sampled_from([2**31, -(2**63), 10**30]),
    st.floats(), st.text(max_size=8), st.dates(), st.binary(max_size=4),
    st.lists(st.integers(-1, 9), max_size=3), st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
    st.just([[1], {"a": []}]), st.sampled_from(["gradient", "direct", "relu", "few-shot-digits", "Open_ES"]),
)  # fmt: skip


def _places(plain: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to every value in a configuration."""
    inner = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list) else ()
    return [w for key, value in inner for w in [(*way, key), *_places(value, (*way, key))]]


PLAIN = to_plain(EXPERIMENT)
changes = st.lists(
    st.tuples(st.sampled_from(_places(PLAIN)), st.sampled_from(["set", "delete", "add"]), junk), min_size=1, max_size=3
)


@settings(max_examples=150)
@given(changes)
@example([(("substrate", "populations", 0, "grid"), "set", [2**31, 2**31])])
@example([(("substrate", "populations", 1, "name"), "set", "\x1b[2J")])
@example([(("substrate", "populations", 1, "name"), "set", "a/../../b")])
@example([(("task", "kind"), "set", [1])])
@example([(("task",), "set", {"kind": {}})])
def test_a_configuration_is_read_or_refused_by_its_field(changes: list[tuple[tuple[Any, ...], str, Any]]) -> None:
    plain = copy.deepcopy(PLAIN)
    for way, what, value in changes:
        inner: Any = plain
        try:
            for key in way[:-1]:
                inner = inner[key]
            if what == "delete":
                del inner[way[-1]]
            elif what == "add" and isinstance(inner, dict):
                inner[str(value)] = value
            else:
                inner[way[-1]] = value
        except (KeyError, IndexError, TypeError):  # an earlier change took it away
            continue
    found, wrong = _tried(from_plain, Experiment, yaml.safe_load(yaml.safe_dump(plain)))
    if found is None:
        assert re.match(r"[a-z][\w.\[\]>-]*.*: ", wrong), wrong
    else:
        assert repr(from_plain(Experiment, to_plain(found))) == repr(found)


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=4), st.integers(0, 10_000))
def test_a_configuration_of_any_bytes_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(yaml.safe_dump(PLAIN).encode())
    for place, byte in changes:
        data[place % len(data)] = byte
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_bytes(data[: max(cut, 1)])
    found, wrong = _tried(load_experiment, path)
    assert (found is None) == bool(wrong)


def _optional(plain: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Ways to settings of the substrate's, schedule's and the other parts' own, all of which have defaults."""
    return [
        w for w in _places(plain) if len(w) == 2 and w[0] in ("learner", "schedule", "fitness", "comparison") and w[1] != "kind"
    ]


@pytest.mark.parametrize("way", [*_optional(PLAIN), ("fitness",), ("comparison",), ("schedule",), ("seed",)], ids=str)
def test_a_setting_that_an_old_file_lacks_has_its_default(way: tuple[str, ...]) -> None:
    plain = copy.deepcopy(PLAIN)
    inner = plain
    for key in way[:-1]:
        inner = inner[key]
    del inner[way[-1]]
    found = to_plain(from_plain(Experiment, plain))
    assert found.keys() == PLAIN.keys()
    if way[0] in ("learner", "fitness", "seed"):  # of which the tiny experiment changes none
        assert found == PLAIN


def test_a_configuration_written_long_ago_is_read() -> None:
    experiment = load_experiment(DATA / "config.yaml")
    assert (type(experiment.task).__name__, experiment.seed, experiment.schedule.keep) == ("FewShotDigits", 0, 3)
    assert experiment.organism.genome_spec.size > 1000


# champions


def test_a_champion_written_long_ago_grows_the_same_network() -> None:
    champion = load_champion(DATA / "champion")
    assert (champion.about["validation"], champion.about["generation"], champion.experiment.seed) == (-0.5, 11, 7)
    network, _ = champion.organism.develop(champion.genomes["champion"], key=jax.random.key(champion.experiment.seed))
    wanted, found = load_file(DATA / "champion" / "network.safetensors"), as_arrays(network)
    assert found.keys() == wanted.keys()
    assert wanted["masks/input->hidden"].sum() == 44
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def _what_it_says(champion: Champion) -> tuple[Any, ...]:
    genomes = {name: np.asarray(champion.genomes[name]).tobytes() for name in ("champion", "centroid", "initial")}
    return champion.experiment, genomes, {k: v for k, v in champion.about.items() if k in ("spec", "validation", "generation")}


flips = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=3)


def _flip(path: Path, flips: list[tuple[float, int]]) -> None:
    data = bytearray(path.read_bytes())
    for place, bits in flips:
        data[int(place * len(data))] ^= bits
    path.write_bytes(data)


@settings(max_examples=100)
@given(st.sampled_from(["champion.json", "champion.safetensors"]), flips)
def test_a_champion_with_flipped_bits_is_the_same_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, flips: list[tuple[float, int]]
) -> None:
    folder = tmp_path_factory.mktemp("flipped")
    shutil.copytree(DATA / "champion", folder, dirs_exist_ok=True)
    _flip(folder / name, flips)
    found, wrong = _tried(load_champion, folder)
    assert "\n" not in wrong
    assert found is None or _what_it_says(found) == _what_it_says(load_champion(DATA / "champion"))


# checkpoints


@pytest.fixture(scope="module")
def checkpointed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Any]:
    run = Run.create(tmp_path_factory.mktemp("fuzz") / "run", EXPERIMENT)
    start = EXPERIMENT.search(devices=1).start()
    run.save(start)
    return run, start


@few
@given(st.integers(0, 99), flips)
def test_a_checkpoint_with_flipped_bits_is_the_same_or_refused(
    tmp_path_factory: pytest.TempPathFactory, checkpointed: tuple[Run, Any], file: int, flips: list[tuple[float, int]]
) -> None:
    whole, start = checkpointed
    run = Run(tmp_path_factory.mktemp("flipped") / "run", whole.experiment)
    shutil.copytree(whole.path, run.path)
    files = sorted(path for path in run.checkpoints.folder.rglob("*") if path.is_file())
    _flip(files[file % len(files)], flips)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, wrong = _tried(run.restore, start)
    if wrong:
        return
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(np.asarray(a), np.asarray(b)), found, start)


# genomes


def test_no_genome_reaches_the_strategy_as_anything_but_a_number() -> None:
    search = EXPERIMENT.search(devices=1)
    size = search.spec.size
    evaluate = jax.jit(lambda genomes: search.evaluate(genomes, "train", 2, key=jax.random.key(0)))
    sound = jnp.stack([search.spec.init(key=jax.random.key(i)) for i in range(4)])
    wanted, failed, _ = map(np.asarray, evaluate(sound))
    assert not failed.any()

    @few
    @given(st.sampled_from([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e20, 1e-45]), st.integers(0, size - 1), st.integers(1, size))
    def check(value: float, begin: int, many: int) -> None:
        fitness, failed, density = map(np.asarray, evaluate(sound.at[1, begin : begin + many].set(value)))
        assert np.isfinite(fitness).all()
        assert np.isfinite(density).all()
        assert (fitness >= EXPERIMENT.fitness.worst).all()
        assert (fitness[failed] == EXPERIMENT.fitness.worst).all()
        np.testing.assert_array_equal(fitness[[0, 2, 3]], wanted[[0, 2, 3]], err_msg="others live as if it were not there")

    check()
    everything = evaluate(sound.at[1].set(jnp.nan))
    assert np.asarray(everything[1])[1].all(), "a life of NaN has failed"


# the command line

KNOWN = """search resume compare report grow list rerun watch --help -h --json --version sine few-shot-digits --out --config
--decoder --learner --generations --seeds --seed --arms --search-only --schedule.lives --strategy.sigma=nan --task.ways
1 0 -1 run all x.yaml -- - = --= --arms= --out= --seed=1"""
words = st.one_of(st.sampled_from(KNOWN.split()), st.text(max_size=6))


@few
@given(st.lists(words, max_size=5))
@example(["search", "--out", "run\x00"])
@example(["resume", "\x00"])
@example(["grow", "[/bold]"])
@example(["compare", "run", "--arms"])
def test_whatever_is_typed_is_done_or_refused(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str], typed: list[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("typed"))
        patch.setattr(cli, "prepare_jax", lambda: None)
        for begun in ("finish", "conclude"):  # had it been asked for in earnest
            patch.setattr(cli, begun, lambda *_, **__: None)
        try:
            code = cli.main(typed)
        except SystemExit as leaving:  # after --help
            code = leaving.code
    out, err = capsys.readouterr()
    assert code in (0, 2), (code, err)
    assert "Traceback" not in out + err
    if code == 2:
        assert err.startswith("evodev: ")


def test_a_directory_may_be_called_anything(capsys: pytest.CaptureFixture[str]) -> None:
    with search_progress("[/bold] [x] {{7*7}}", 2) as watch:
        search = EXPERIMENT.search(devices=1)
        watch(search, None, [{"generation": 1, "seconds": 1.0, "fitness_mean": 0.0, "validation_centroid": 0.0, "failed": 0.0}])
    assert "[/bold] [x] {{7*7}} generation 1/2" in capsys.readouterr().err
