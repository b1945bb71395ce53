"""The contract of a baseline: an arm that enters the flow at the network and lives the same lives."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from evodev.evaluation import Develop
from evodev.fitness import Fitness
from evodev.learners import Learner
from evodev.organism import Organism
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.substrate import Substrate
from evodev.tasks import Task
from evodev.types import Genome, Key

Role = Literal["evolved", "baseline", "control", "reference"]


@dataclass(frozen=True)
class Arm:
    """A named way to get (network, learner).

    Attributes:
        name: as printed.
        role: ``evolved`` (the champion), ``baseline`` (never saw a genome), ``control`` (the champion taken apart) or
            ``reference`` (no network at all).
        subject: what ``develop`` makes a network of: a genome, or any pytree.
        develop: subject -> (network, learner's genes); equal arms have equal ``develop``, so that they share a program.
        learner: how it learns.
        substrate: where its network lives.
        stochastic: draw a network for each life.
        genome_size: evolved numbers behind it; None if there are none.
        has_loss: whether its outputs are probabilities; a nearest neighbour has only an accuracy.
        tuning_lives: lives spent on choosing it.
        note: what was tuned, and on what, in one phrase.
        known: loss and score that it has by definition at every probe: a line in the table, for which nobody lives.
    """

    name: str
    role: Role
    subject: Any
    develop: Develop
    learner: Learner
    substrate: Substrate
    stochastic: bool
    genome_size: int | None = None
    has_loss: bool = True
    tuning_lives: int = 0
    note: str = ""
    known: tuple[float, float] | None = None


def arm_of(
    name: str,
    organism: Organism,
    genome: Genome,
    *,
    role: Role = "baseline",
    evolved: bool = False,
    lives: int = 0,
    note: str = "",
) -> Arm:
    """A genome of an organism as an arm; ``evolved`` if the genome is what lives were spent on, and its size counts."""
    return Arm(
        name=name,
        role=role,
        subject=genome,
        develop=organism.hatch,
        learner=organism.learner,
        substrate=organism.substrate,
        stochastic=organism.decoder.stochastic,
        genome_size=organism.genome_spec.size if evolved else None,
        tuning_lives=lives,
        note=note,
    )


@dataclass(frozen=True)
class Setting:
    """What a baseline may know: the champion and how it was found, and a budget to be tuned with.

    Attributes:
        organism: the champion's.
        champion: its genome.
        initial: the genome that its search started from.
        synapses: of the champion's network.
        task: the same task.
        strategy: the champion's; baselines that evolve hyperparameters use the same.
        schedule: the champion's; the lives that it spent are the most that a baseline may spend on tuning.
        fitness: the same fitness.
        budget: lives that the champion's search lived.
        evolve: whether to afford baselines that evolve hyperparameters.
        seed: root of the baseline's keys.
        shared: what one baseline worked out and another needs too (the grid's best), so that it is done once.
    """

    organism: Organism
    champion: Genome
    initial: Genome
    synapses: int
    task: Task
    strategy: Strategy
    schedule: Schedule
    fitness: Fitness
    budget: int
    evolve: bool
    seed: int
    shared: dict[Any, Any] = field(default_factory=dict, compare=False)

    @property
    def grows(self) -> bool:
        """Whether the champion grew from genes; a network that was given has none."""
        return self.organism.decoder.genome_spec(self.organism.substrate).size > 0


Report = Callable[[str], None]


class Baseline(ABC):
    """Builds one arm; a frozen dataclass."""

    role: ClassVar[Role] = "baseline"
    routine: ClassVar[bool] = True
    """Part of every comparison; one that is not is only built when asked for by name."""
    group: ClassVar[str] = ""
    """A name by which to ask for all of a kind at once."""

    @abstractmethod
    def applies(self, setting: Setting) -> bool:
        """Whether the arm makes sense here (a nearest neighbour needs classes, say)."""

    @abstractmethod
    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        """Tune if need be, on validation lives only, and return the arm; ``say`` takes lines of progress."""
