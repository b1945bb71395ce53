"""Configuration: frozen dataclasses <-> plain data (YAML), registries of every part, and the presets."""

import dataclasses
import difflib
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from evodev.decoders import CELLS, DECODERS, REFINEMENTS, SPARSITIES, WIRINGS, Cells, Decoder, Refinement, Sparsity, Wiring
from evodev.fitness import WITHOUT_PHASES, Fitness
from evodev.forms import FormName, choose_forms
from evodev.fused import check_fused
from evodev.learners import LEARNERS, Learner
from evodev.measurement import Comparison
from evodev.organism import Organism, misfit
from evodev.search import Schedule, Search
from evodev.strategies import Strategy
from evodev.substrate import Substrate
from evodev.tasks import TASKS, Task

REGISTRIES: dict[type, Mapping[str, type]] = {
    Cells: CELLS,
    Wiring: WIRINGS,
    Sparsity: SPARSITIES,
    Refinement: REFINEMENTS,
    Learner: LEARNERS,
    Task: TASKS,
}
"""For each kind of part, its names: what ``kind:`` may say in a configuration."""


@dataclass(frozen=True)
class Experiment:
    """Everything needed to run a search and its comparison again.

    Attributes:
        task: the distribution over worlds.
        substrate: where networks grow.
        decoder: how genomes become networks.
        learner: how networks learn.
        strategy: how genomes are moved.
        schedule: for how long, on how many lives.
        fitness: what is selected for.
        comparison: how the champion is compared.
        seed: root of every key.
        form: of the weights in life, which changes nothing but the speed: ``gather`` or ``block`` keep only the inputs that a
            neuron has, ``auto`` what was measured to be fastest on this platform, ``dense`` matrices.

    Raises:
        ValueError: naming the field, if the parts do not fit together or the seed is negative.
    """

    task: Task
    substrate: Substrate
    decoder: Decoder
    learner: Learner
    strategy: Strategy = Strategy()
    schedule: Schedule = Schedule()
    fitness: Fitness = Fitness()
    comparison: Comparison = Comparison()
    seed: int = 0
    form: FormName = "auto"

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed: at least 0, given {self.seed}")
        if wrong := misfit(self.substrate, self.learner, self.task):
            raise ValueError(f"substrate: {wrong}")
        needs, offers = set(self.learner.needs), set(self.task.offers)
        if not needs <= offers:
            tasks = [name for name, cls in TASKS.items() if needs <= set(cls.offers)]
            learners = [name for name, cls in LEARNERS.items() if set(cls().needs) <= offers]
            raise ValueError(
                f"learner: {type(self.learner).__name__} needs {', '.join(sorted(needs - offers))}, which "
                f"{type(self.task).__name__} does not offer; choose as learner one of {', '.join(learners)}, or as task one of "
                f"{', '.join(tasks)}"
            )
        # a life that acts has a moment to learn from in every step of an episode
        moments = self.task.steps * (self.task.batch if self.task.problem == "control" else 1)
        if self.learner.rhythm > moments:
            raise ValueError(
                f"learner: {type(self.learner).__name__} changes something only every {self.learner.rhythm} steps (period, "
                f"accumulate), and a life has {moments}; make that shorter or the life longer"
            )
        loss = getattr(self.learner, "loss", None)
        wanted = "cross_entropy" if self.task.problem == "classification" else "squared_error"
        if loss is not None and "targets" in self.learner.needs and loss != wanted:
            raise ValueError(f"learner: loss is {loss}, but the task is a {self.task.problem}; use {wanted}")
        if self.fitness.needs_phases and not any(end < self.task.steps for end in self.task.phase_ends):
            raise ValueError(WITHOUT_PHASES)
        asked, told = self.learner.asks, self.decoder.wiring.channels
        if not set(asked) <= set(told):
            raise ValueError(
                f"learner: asks for the channels {', '.join(asked)}, of which the wiring expresses {', '.join(told) or 'none'}; "
                f"set decoder.wiring.channels to {' '.join(dict.fromkeys((*told, *asked)))} or have the learner ask for none"
            )
        if self.schedule.kernel == "fused":
            ledger, online = self.fitness.needs_ledger, self.fitness.needs_online
            check_fused(self.learner, self.substrate, self.task, ledger=ledger, online=online)
            if self.form not in ("auto", "dense"):
                raise ValueError(f"form: {self.form} is not for schedule.kernel fused, which takes matrices; set form to dense")
        self.organism.genome_spec  # noqa: B018 - raises if decoder or learner cannot serve the substrate
        if self.form != "auto":  # which would ask for the device, and has nothing to refuse
            choose_forms(self.form, self.decoder, self.learner, self.substrate, batch=1)

    @property
    def organism(self) -> Organism:
        """Substrate, decoder and learner together."""
        # all samples of a life at once where no grown synapse changes, and one after the other where it acts
        together = self.task.batch * (self.task.steps if self.learner.frozen else 1)
        batch = 1 if self.task.problem == "control" else together
        form = "dense" if self.schedule.kernel == "fused" else self.form
        return Organism(self.substrate, self.decoder, self.learner, form, batch)

    def search(self, *, devices: int | None = None) -> Search:
        """The search that this experiment describes."""
        return Search(
            self.organism, self.task, self.strategy, self.schedule, fitness=self.fitness, seed=self.seed, devices=devices
        )


def fitted(substrate: Substrate, task: Task, learner: Learner | None = None) -> Substrate:
    """The substrate with its first and last population of the size that the task and the learner need."""
    first, *middle, last = substrate.populations
    sensed = task.inputs if learner is None else learner.senses(task.inputs, task.outputs, task.offers)
    if first.size != sensed:
        first = dataclasses.replace(first, grid=task.grid if sensed == task.inputs else (sensed,), types=1)
    if last.size != task.outputs:
        last = dataclasses.replace(last, grid=(task.outputs,), types=1)
    return dataclasses.replace(substrate, populations=(first, *middle, last))


def trajectory(experiment: Experiment) -> dict[str, Any]:
    """All that the numbers of a search depend on, as plain data.

    Not of it: how the champion is compared, how the search was put on a device, how many checkpoints are kept.
    """
    schedule = dataclasses.replace(experiment.schedule, chunk=0, keep=Schedule.keep)
    plain = to_plain(dataclasses.replace(experiment, schedule=schedule))
    return {name: value for name, value in plain.items() if name != "comparison"}


def to_plain(value: Any, where: str = "config") -> Any:
    """Configuration -> dictionaries, lists, numbers and strings; registered parts carry their name as ``kind``.

    Raises:
        ValueError: for a value that no file can hold (a function, an optax object), naming the field.
    """
    if is_dataclass(value) and not isinstance(value, type):
        names = {cls: name for registry in REGISTRIES.values() for name, cls in registry.items()}
        kind = {"kind": names[type(value)]} if type(value) in names else {}
        own = [f for f in fields(value) if f.init]
        return kind | {f.name: to_plain(getattr(value, f.name), f"{where}.{f.name}") for f in own}
    if isinstance(value, tuple | list):
        return [to_plain(v, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, dict):
        return {k: to_plain(v, f"{where}.{k}") for k, v in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"{where}: {type(value).__name__} objects cannot be written to a file; use a name, or the library only")


def from_plain(annotation: Any, data: Any, where: str = "config") -> Any:
    """Inverse of :func:`to_plain`, checking names and types.

    Raises:
        ValueError: naming the field and, for an unknown name, the nearest known one.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in REGISTRIES:
        return _from_registry(annotation, data, where)
    if annotation is Decoder and isinstance(data, str):
        return DECODERS[_known(data, DECODERS, where)]
    if is_dataclass(annotation) and isinstance(annotation, type):
        return _from_fields(annotation, data, where)
    if origin in (Union, types.UnionType):
        return _from_union(arguments, data, where)
    if origin is Literal:
        return _known(data, arguments, where)
    if origin in (tuple, list):
        if not isinstance(data, list | tuple):
            raise ValueError(f"{where}: expected a list, given {data!r}")
        return tuple(from_plain(arguments[0], v, f"{where}[{i}]") for i, v in enumerate(data))
    if origin is dict:
        if not isinstance(data, Mapping):
            raise ValueError(f"{where}: expected a mapping, given {data!r}")
        return {str(k): from_plain(arguments[1], v, f"{where}.{k}") for k, v in data.items()}
    if annotation is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if annotation in (int, float, str, bool) and type(data) is not annotation:
        raise ValueError(f"{where}: expected {annotation.__name__}, given {data!r}")
    return data


def _known(name: Any, known: Any, where: str) -> Any:
    if name in tuple(known):  # compared, not looked up: a list has no hash
        return name
    near = difflib.get_close_matches(str(name), [str(k) for k in known], n=1, cutoff=0.3)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(f"{where}: unknown name {name!r}; {hint}Known: {', '.join(map(str, known))}")


def _from_registry(annotation: type, data: Any, where: str) -> Any:
    registry = REGISTRIES[annotation]
    if isinstance(data, str):
        data = {"kind": data}
    if not isinstance(data, Mapping) or "kind" not in data:
        raise ValueError(f"{where}: needs a kind, one of {', '.join(registry)}")
    cls = registry[_known(data["kind"], registry, f"{where}.kind")]
    return _from_fields(cls, {k: v for k, v in data.items() if k != "kind"}, where)


def _from_fields(cls: type, data: Any, where: str) -> Any:
    if not isinstance(data, Mapping):
        raise ValueError(f"{where}: expected a mapping with the fields of {cls.__name__}, given {data!r}")
    hints = get_type_hints(cls)
    own = {f.name: f for f in fields(cls) if f.init}
    for name in data:
        _known(name, own, where)
    missing = [
        n for n, f in own.items()
        if n not in data and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]  # fmt: skip
    if missing:
        raise ValueError(f"{where}: missing {', '.join(missing)}")
    return cls(**{name: from_plain(hints[name], value, f"{where}.{name}") for name, value in data.items()})


def _from_union(options: tuple[Any, ...], data: Any, where: str) -> Any:
    if data is None and type(None) in options:
        return None
    for option in options:
        if option in (int, float, str, bool) and type(data) is option:
            return data
        if get_origin(option) is tuple and isinstance(data, list | tuple):
            return from_plain(option, data, where)
    raise ValueError(f"{where}: {data!r} cannot be read from a file; expected {' or '.join(str(o) for o in options)}")
