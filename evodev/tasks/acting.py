"""The contract of a task in which what is seen next depends on what is done: worlds that answer to actions."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NoReturn

from flax import struct

from evodev.tasks.base import Split, Task, check_counts
from evodev.types import Array, Flag, Float, Int, Key, Outputs, Scalar, Targets


@struct.dataclass
class World:
    """One sampled world; a life in it is a few episodes.

    ``physics`` is the task's own. ``sensors`` (observations, observations) makes what is seen of what there is, ``muscles``
    (outputs,) says which action each output means, or with which sign its value acts. ``key`` is that of all its chances.
    """

    physics: Any
    sensors: Float[Array, "seen there"]
    muscles: Int[Array, " outputs"] | Float[Array, " outputs"]
    key: Key


@dataclass(frozen=True)
class Acting(Task):
    """A distribution over worlds to act in; a learning step is an episode, a sample a step of the environment.

    The loss is regret, (perfect - return) / (perfect - ignorant), the score 1 - regret: 0 is what acting at random brings, 1
    the best that could be.

    Attributes:
        episodes: in a life.
        horizon: steps of an episode that nothing ends before.
        recall: whether the last action and the last reward are seen too, after the observation.
        normalise: whether observations are standardised by the mean and spread seen in the life so far; rewards always are.
    """

    episodes: int = 3
    horizon: int = 200
    recall: bool = True
    normalise: bool = True
    problem: ClassVar[Literal["classification", "regression", "control"]] = "control"
    offers: ClassVar[tuple[str, ...]] = ("reward",)
    discrete: ClassVar[bool] = True
    """Whether one of the outputs is chosen, rather than values given."""

    def __post_init__(self) -> None:
        check_counts(self, "episodes", "horizon")

    @property
    @abstractmethod
    def observations(self) -> int:
        """Numbers seen of the world."""

    @abstractmethod
    def returns(self, world: World) -> tuple[float | Scalar, float | Scalar]:
        """Mean return of an episode of acting at random, and the best that could be."""

    @property
    def inputs(self) -> int:
        return self.observations + (self.outputs + 1 if self.recall else 0)

    @property
    def steps(self) -> int:
        return self.episodes

    @property
    def batch(self) -> int:
        return self.horizon

    @property
    def unit(self) -> str:
        return "episodes"

    @property
    def ignorant_loss(self) -> float:
        return 1.0

    @abstractmethod
    def sample(self, split: Split, *, key: Key) -> World:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Draw one world of a family."""

    @abstractmethod
    def begin(self, world: World, *, key: Key) -> tuple[Any, Float[Array, " observations"]]:
        """State at the start of an episode, and what is there to be seen."""

    @abstractmethod
    def act(self, world: World, state: Any, action: Any, *, key: Key) -> tuple[Any, Float[Array, " observations"], Scalar, Flag]:
        """State after an action (a number, or values), what is there to be seen, the reward, and whether it is all over."""

    def regret(self, world: World, total: Array) -> Array:
        """Regret of the return of an episode."""
        ignorant, perfect = self.returns(world)
        return (perfect - total) / (perfect - ignorant)

    def loss(self, outputs: Outputs, targets: Targets) -> NoReturn:
        raise TypeError("task: a life that acts has returns, not answers with targets")

    def score(self, outputs: Outputs, targets: Targets) -> NoReturn:
        raise TypeError("task: a life that acts has returns, not answers with targets")
