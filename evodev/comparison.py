"""Arms on equal lives: curves with intervals, scores, and both ledgers."""

import copy
import time
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any, cast
from zlib import crc32

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines import BASELINES, Arm, Setting
from evodev.baselines.base import Baseline, Report, arm_of
from evodev.baselines.factorial import effects
from evodev.compactness import compactness
from evodev.content import digest, source
from evodev.evaluation import sample_lives
from evodev.fairness import rules
from evodev.fitness import Fitness, aulc
from evodev.genome import GenomeSpec, spec_of
from evodev.learners import Learner
from evodev.ledgers import cost, ledger
from evodev.levels import levels_of
from evodev.lifetime import probe_steps
from evodev.measurement import Comparison, live_arm, mark_front, measure, scalar, trade_off, worst_where_failed
from evodev.network import Network
from evodev.organism import Organism, misfit
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.substrate import Substrate
from evodev.tasks import Acting, Life, Task, World
from evodev.types import Genes, Genome, Key

SCHEMA_VERSION = 1
CHAMPION = "evolved champion"
CENTROID = "evolved centroid"


def champion_arms(organism: Organism, champion: Genome, centroid: Genome) -> list[Arm]:
    """The evolved champion and the centre of the search."""
    genomes = {CHAMPION: (champion, "best on validation"), CENTROID: (centroid, "mean of the final search distribution")}
    return [arm_of(name, organism, genome, role="evolved", evolved=True, note=note) for name, (genome, note) in genomes.items()]


def asked_for(names: Sequence[str] | None) -> dict[str, Baseline]:
    """Baselines in their order: the routine ones for None, those named (in capitals or not), or every one for ``all``.

    A name may be that of a group (``factorial``).

    Raises:
        ValueError: for a name that no baseline has.
    """
    if names is None:
        return {name: baseline for name, baseline in BASELINES.items() if baseline.routine}
    known, wanted = {name.lower(): name for name in BASELINES}, {name.lower() for name in names}
    groups = {baseline.group for baseline in BASELINES.values()} - {""}
    for name in sorted(wanted - set(known) - groups - {"all"}):
        near = [known[n] for n in get_close_matches(name, list(known), n=1)]
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"arms: no baseline {name!r}; {hint}Known: {'; '.join(['all', *sorted(groups), *BASELINES])}")
    return {name: baseline for name, baseline in BASELINES.items() if wanted & {"all", name.lower(), baseline.group}}


def synapses_of(organism: Organism, genome: Genome, *, key: Key) -> int:
    """Synapses of a grown network, and what its learner remembers besides."""
    masks = jax.jit(lambda g: organism.develop(g, key=key)[0].masks)(genome)
    return int(sum(np.asarray(mask).sum() for mask in masks.values())) + organism.learner.memory(organism.substrate)


def judge(
    setting: Setting,
    arms: Sequence[Arm],
    config: Comparison | None = None,
    *,
    names: Sequence[str] | None = None,
    selected: float | None = None,
    kept: MutableMapping[str, Any] | None = None,
    say: Report = lambda line: None,
) -> dict[str, Any]:
    """Tune the baselines, let every arm live the same held-out lives, and write down curves, scores and ledgers.

    Args:
        setting: what the baselines may know.
        arms: one's own, the judged one first: it is what the others are set against.
        config: how to compare.
        names: baselines as :func:`asked_for`; those that make no sense here are left out.
        selected: fitness by which the judged arm was chosen, on the validation family, if it was.
        kept: arms that were measured before, by a digest of all that they depend on; new ones are added, so that what was
            broken off goes on where it was.
        say: takes lines of progress.

    Returns:
        The contents of comparison.json (schema_version 1).

    Raises:
        ValueError: for a name that no baseline has, no arm, or two of one name.
    """
    config = config or Comparison()
    if not arms:
        raise ValueError("arms: give at least one of your own; the first is what all others are set against")
    entrants: dict[str, Arm | Baseline] = {arm.name: arm for arm in arms}
    entrants |= {name: b for name, b in asked_for(names).items() if b.applies(setting)}
    if len({arm.name for arm in arms}) < len(arms) or any(isinstance(entrants[arm.name], Baseline) for arm in arms):
        raise ValueError(f"arms: two have one name; given {', '.join(arm.name for arm in arms)} beside the baselines' own")
    kept, task, judged = {} if kept is None else kept, setting.task, arms[0].name
    trial = Trial(setting, config)
    report: dict[str, Any] = {}
    areas: dict[str, np.ndarray] = {}
    for name, entrant in entrants.items():
        own = digest(source(), name, entrant, trial)
        if own not in kept:
            with setting.schedule.products():
                kept[own] = trial.measured(name, entrant, say=say)
            say(f"{name}: done")
        else:
            say(f"{name}: kept from before")
        report[name] = copy.deepcopy(kept[own]["entry"])
        if kept[own]["areas"] is not None:
            areas[name] = np.asarray(kept[own]["areas"])
            if judged in areas:
                # the same lives, so that the difference life by life is what tells arms apart
                report[name]["scores"]["aulc_minus_champion"] = scalar(areas[name] - areas[judged], config.bootstrap)
    mark_front(report)
    result = {
        "schema_version": SCHEMA_VERSION,
        "task": type(task).__name__,
        "split": config.split,
        "unit": task.unit,
        "problem": task.problem,
        "judged": judged,
        "intervals": f"95% bootstrap over {config.lives} lives of one search",
        "samples": list(trial.schedule),
        "samples_per_step": task.batch,
        "chance": 1 / task.outputs if task.problem == "classification" else None,
        "ignorant_loss": task.ignorant_loss,
        "span": list(task.span) if isinstance(task, Acting) and task.span else None,
        "held_out": task.held_out,
        "arms": report,
        "factorial": effects(areas, config.bootstrap),
        "levels": trial.levels(report),
        "winners_curse": winners_curse(report[judged], selected),
        "ledger": ledger(setting, report, judged),
        "comparison": asdict(config),
    }
    for entry in report.values():
        entry.pop("levels")
    return result | {"fairness": rules(result)}


@dataclass(frozen=True)
class Trial:
    """The same lives for every arm, and the keys of what happens in them."""

    setting: Setting
    config: Comparison

    @property
    def schedule(self) -> tuple[int, ...]:
        """Steps at which lives are probed."""
        return probe_steps(self.setting.task.steps, self.setting.schedule.probes)

    def keys(self) -> tuple[Key, Key, Key]:
        """Of the lives, of what is drawn in them, and of how arms are made."""
        lives, run, build = jax.random.split(jax.random.fold_in(jax.random.key(self.setting.seed), 0xC0), 3)
        return lives, run, build

    def lives(self, level: str | None = None) -> Life | World:
        """Lives of the compared family, or of another level; what is drawn does not depend on the arm."""
        key, config = self.keys()[0], self.config
        if level is None:
            return sample_lives(self.setting.task, config.split, config.lives, key=key)
        own = levels_of(self.setting.task)[level]
        return sample_lives(own.task, own.split, config.lives, key=jax.random.fold_in(key, crc32(level.encode())))

    def measured(self, name: str, entrant: Arm | Baseline, *, say: Report) -> dict[str, Any]:
        """An arm, built if need be, and measured: its ``entry`` in comparison.json, and its AULC in each life (``areas``)."""
        setting, config, (_, key_run, key_build) = self.setting, self.config, self.keys()
        began = time.perf_counter()
        if isinstance(entrant, Arm):
            arm = entrant
        else:
            # an arm's key is its name's, so that it is the same whatever others are asked for beside it
            arm = entrant.build(name, setting, key=jax.random.fold_in(key_build, crc32(name.encode())), say=say)
        tuned = time.perf_counter()
        log = live_arm(arm, setting, self.lives(), key=key_run)
        entry = measure(arm, log, setting, config)
        areas = None
        if arm.has_loss:
            areas = np.asarray(aulc(cast(Any, worst_where_failed(log.loss, setting)), self.schedule), np.float64).tolist()
            # a reference has no network whose cost could be set against its loss
            point = None if arm.role == "reference" else trade_off(log, setting.fitness, self.schedule)
            entry |= {"objectives": point} if point else {}
        if arm.role == "evolved" and arm.genome_size and arm.develop == setting.organism.hatch:
            grown = jax.jit(lambda g: setting.organism.develop(g, key=key_build)[0])(arm.subject)
            entry["compactness"] = compactness(setting.organism.genome_spec, arm.substrate, grown).plain()
        entry["seconds"] = {"tuning": tuned - began, "lives": time.perf_counter() - tuned}
        entry["tuning"] = cost(arm.tuning_lives, entry["scores"]["synops_per_sample"], setting, tuned - began)
        entry["levels"] = {}
        if config.levels == "all" or (config.levels == "evolved" and arm.role in ("evolved", "reference")):
            for level in levels_of(setting.task):
                entry["levels"][level] = self._at(arm, level, key=key_run)
        return {"entry": entry, "areas": areas}

    def _at(self, arm: Arm, level: str, *, key: Key) -> dict[str, Any]:
        """An arm's scores at another level: AULC and fitness where it has a loss, and the score at the end of a life."""
        setting, resamples = self.setting, self.config.bootstrap
        log = live_arm(arm, setting, self.lives(level), key=key)
        final = np.asarray(log.score)[:, -1]
        out = {"final": scalar(np.where(np.isfinite(final), final, setting.fitness.worst), resamples)}
        if arm.has_loss:
            loss = worst_where_failed(log.loss, setting)
            out["aulc"] = scalar(aulc(cast(Any, loss), self.schedule), resamples)
            out["fitness"] = scalar(setting.fitness(log, self.schedule), resamples)
        return out

    def levels(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Every level that an arm was tried at: what is new there, and the arms."""
        out = {}
        for name, level in levels_of(self.setting.task).items():
            found = {arm: entry["levels"][name] for arm, entry in report.items() if name in entry["levels"]}
            if found:
                out[name] = {"held_out": level.held_out, "arms": found}
        return out


def winners_curse(entry: Mapping[str, Any], selected: float | None) -> dict[str, Any] | None:
    """Fitness of the judged arm on the validation lives that chose it, and on fresh ones of the same family.

    The first is the best of many looks at the same lives, and flatters; None if nothing was chosen, or not lived again.
    """
    fresh = entry["levels"].get("validation", {}).get("fitness")
    if selected is None or fresh is None:
        return None
    return {"selected": {"value": selected, "lo": selected, "hi": selected}, "fresh": fresh, "split": "validation"}


@dataclass(frozen=True, eq=False)
class Given:
    """Grows what it is given: a network from anywhere; no genes."""

    network: Network

    @property
    def stochastic(self) -> bool:
        return False

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def grow(self, genome: Genome, substrate: Substrate, *, key: Key, shared: bool = False) -> Network:
        return self.network


def _as_given(subject: Any, /, *, key: Key) -> tuple[Network, Genes]:
    return subject


def arm(
    name: str, network: Network, learner: Learner, substrate: Substrate, *, genes: Genes | None = None, note: str = ""
) -> Arm:
    """Anyone's network and learner as an arm.

    Args:
        name: as printed.
        network: at birth; :mod:`evodev.models` makes one of another library's parameters.
        learner: how it changes in life.
        substrate: whose projections the network fills.
        genes: of the learner, in natural units; as in a genome of zeros if none are given.
        note: what it is, in one phrase.

    Raises:
        ValueError: if it is no network, or its projections are not the substrate's.
    """
    if not isinstance(network, Network):
        raise ValueError(
            f"arm {name!r}: needs an evodev.network.Network, given {type(network).__name__}; decoder.grow makes one, or write "
            "down weights, masks, biases and alive by hand"
        )
    for p in substrate.projections:
        shape = getattr(network.weights.get(p.name), "shape", None)
        if shape != substrate.shape(p):
            raise ValueError(f"arm {name!r}: projection {p.name!r} needs weights of shape {substrate.shape(p)}, given {shape}")
    if genes is None:
        spec = learner.genome_spec(substrate)
        genes = spec.unpack(jnp.zeros(spec.size))
    return Arm(name, "evolved", (network, genes), _as_given, learner, substrate, stochastic=False, note=note or "given")


def setting_of(task: Task, arm: Arm, *, budget: int = 0, seed: int = 0, **more: Any) -> Setting:
    """What the baselines may know of an arm that no search of ours found: its network, its learner, and a budget.

    Args:
        task: what is compared on.
        arm: the judged one; the network that it makes stands for what a champion grows.
        budget: lives that finding it took, the most that a baseline may spend; 0 leaves no tuning but the grid's.
        seed: root of all keys.
        more: other fields of :class:`evodev.baselines.Setting`.
    """
    network, genes = arm.develop(arm.subject, key=jax.random.key(seed))
    organism = Organism(arm.substrate, Given(network), arm.learner)
    spec = organism.genome_spec
    genome = spec.pack({f"learner/{name}": value for name, value in genes.items()}) if spec.size else jnp.zeros(0)
    usual: dict[str, Any] = {
        "initial": genome, "synapses": synapses_of(organism, genome, key=jax.random.key(seed)), "strategy": Strategy(),
        "schedule": Schedule(), "fitness": Fitness(), "evolve": budget > 0,
    }  # fmt: skip
    return Setting(organism=organism, champion=genome, task=task, budget=budget, seed=seed, **usual | more)


def compare(
    task: Task,
    arms: Sequence[Arm],
    config: Comparison | None = None,
    *,
    names: Sequence[str] | None = None,
    setting: Setting | None = None,
    budget: int = 0,
    seed: int = 0,
    kept: MutableMapping[str, Any] | None = None,
    say: Report = lambda line: None,
) -> dict[str, Any]:
    """Anyone's networks against tuned backprop, sparse training, meta-learning and controls, on equal lives.

    ``evodev.report.table.console_table`` prints what comes back.

    Args:
        task: a distribution over worlds.
        arms: from :func:`arm`, or from a baseline's ``build``; the first is judged.
        config: how to compare.
        names: baselines, as ``evodev list`` names them; the routine ones if None, all for ``["all"]``.
        setting: what baselines may know, from :func:`setting_of`, which makes it if it is left out.
        budget: lives that finding the judged arm took.
        seed: root of all keys.
        kept: as in :func:`judge`; a dictionary will do.
        say: takes lines of progress.

    Raises:
        ValueError: where :func:`judge` does, or if an arm's inputs or outputs are not as many as the task's.
    """
    for own in arms:
        # a model's own forward pass need not begin and end at the kernels that were read off it
        free = own.substrate.modular or getattr(getattr(own.learner, "learner", own.learner), "forward", None)
        if own.role == "evolved" and not free and (wrong := misfit(own.substrate, own.learner, task)):
            raise ValueError(f"arm {own.name!r}: {wrong}")
    if arms and setting is None:
        setting = setting_of(task, arms[0], budget=budget, seed=seed)
    if setting is None:
        raise ValueError("arms: give at least one of your own; the first is what all others are set against")
    return judge(setting, arms, config, names=names, kept=kept, say=say)
