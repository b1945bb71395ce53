"""Classic control with other physics, sensors and muscles in each life; the environments are gymnax's (Lange 2022)."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import cache
from math import log
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from evodev.tasks.acting import Acting, World
from evodev.tasks.base import Split, check_extra, check_split
from evodev.types import Array, Flag, Float, Key, Scalar

REDRAWN = ("physics", "actions", "sensors")


@cache
def _made(name: str) -> tuple[Any, Any]:
    import gymnax  # pyright: ignore[reportMissingImports]

    # asked for under a trace as often as not, and kept beyond it
    with jax.ensure_compile_time_eval():
        env, params = gymnax.make(name)
    # time is kept by the task
    return env, params.replace(max_steps_in_episode=10**9)


@dataclass(frozen=True)
class Classic(Acting):
    """An environment of gymnax of which each life draws its own kind.

    Each of ``varied`` is multiplied by a factor of its own. In the train family all of them lie between 1 / ``train`` and
    ``train``; in validation and test all lie beyond that, up or down, where the family before ends and up to ``validation``
    and ``test``.

    Attributes:
        redraw: what is drawn anew in each life, from ``physics``, ``actions`` (which output does what, or the sign of
            values) and ``sensors`` (order and signs of what is seen).
        train: the largest factor of the train family.
        validation: of the validation family.
        test: of the test family.

    Raises:
        ImportError: without gymnax, naming the extra.
    """

    redraw: tuple[str, ...] = ("physics", "actions")
    train: float = 1.2
    validation: float = 1.35
    test: float = 1.5
    name: ClassVar[str]
    varied: ClassVar[tuple[str, ...]]
    scales: ClassVar[tuple[float, ...]]
    """Usual size of each number that is seen, by which it is divided."""
    strength: ClassVar[float] = 1.0
    """What an output of 1 does, where values are given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_extra("gymnax", "control")
        if not 1 < self.train < self.validation < self.test:
            raise ValueError(
                "task: the families of physics overlap unless 1 < train < validation < test, given "
                f"{self.train}, {self.validation}, {self.test}"
            )
        if not set(self.redraw) <= set(REDRAWN):
            raise ValueError(f"task: redraw names {', '.join(self.redraw)}; each one of {', '.join(REDRAWN)}")

    @property
    def observations(self) -> int:
        return len(self.scales)

    @property
    def held_out(self) -> str:
        if "physics" not in self.redraw:
            return "nothing but the draw of each life"
        return (
            f"physics ({', '.join(self.varied)}): train within a factor of {self.train:g}, validation beyond up to "
            f"{self.validation:g}, test beyond up to {self.test:g}"
        )

    @abstractmethod
    def parameters(self, factors: dict[str, Array]) -> dict[str, Any]:
        """The environment's parameters that change where ``varied`` are multiplied by factors."""

    def sample(self, split: Split, *, key: Key) -> World:  # pyright: ignore[reportIncompatibleMethodOverride]
        check_split(split)
        key_size, key_up, key_muscles, key_order, key_sign, key_life = jax.random.split(key, 6)
        bounds = {"train": (1.0, self.train), "validation": (self.train, self.validation), "test": (self.validation, self.test)}
        low, high = (log(factor) for factor in bounds[split])
        size = jax.random.uniform(key_size, (len(self.varied),), minval=low, maxval=high)
        up = jax.random.rademacher(key_up, (len(self.varied),), jnp.float32)
        factors = jnp.exp(size * up) if "physics" in self.redraw else jnp.ones(len(self.varied))
        physics = self.parameters(
            {name: getattr(_made(self.name)[1], name) * f for name, f in zip(self.varied, factors, strict=True)}
        )
        sensors = jnp.diag(1 / jnp.asarray(self.scales))
        if "sensors" in self.redraw:
            sign = jax.random.rademacher(key_sign, (self.observations,), jnp.float32)
            sensors = sensors[jax.random.permutation(key_order, self.observations)] * sign[:, None]
        muscles = jnp.arange(self.outputs) if self.discrete else jnp.full(self.outputs, self.strength)
        if "actions" in self.redraw:
            sign = jax.random.rademacher(key_muscles, (self.outputs,), jnp.float32)
            muscles = jax.random.permutation(key_muscles, muscles) if self.discrete else muscles * sign
        return World(physics, sensors, muscles, key_life)

    def begin(self, world: World, *, key: Key) -> tuple[Any, Float[Array, " observations"]]:
        env, params = _made(self.name)
        seen, state = env.reset_env(key, params.replace(**world.physics))
        return state, seen

    def act(self, world: World, state: Any, action: Any, *, key: Key) -> tuple[Any, Float[Array, " observations"], Scalar, Flag]:
        env, params = _made(self.name)
        seen, state, reward, over, _ = env.step_env(key, state, action, params.replace(**world.physics))
        return state, seen, self.reward(reward, over), over

    def reward(self, reward: Scalar, over: Flag) -> Scalar:
        """The environment's own, unless overridden."""
        return jnp.asarray(reward, jnp.float32)


@dataclass(frozen=True)
class CartPole(Classic):
    """Balance a pole on a cart (Barto, Sutton & Anderson 1983); 1 a step until it falls, and nothing for the fall."""

    name: ClassVar[str] = "CartPole-v1"
    varied: ClassVar[tuple[str, ...]] = ("gravity", "masscart", "masspole", "length", "force_mag")
    scales: ClassVar[tuple[float, ...]] = (1.0, 1.0, 0.1, 1.0)

    @property
    def outputs(self) -> int:
        return 2

    def returns(self, world: World) -> tuple[float, float]:
        return 21.0, float(self.horizon)

    def parameters(self, factors: dict[str, Array]) -> dict[str, Any]:
        return factors | {
            "total_mass": factors["masscart"] + factors["masspole"],
            "polemass_length": factors["masspole"] * factors["length"],
        }

    def reward(self, reward: Scalar, over: Flag) -> Scalar:
        return 1.0 - over


@dataclass(frozen=True)
class Acrobot(Classic):
    """Swing two links up to a height (Sutton 1996); -1 a step until they are there."""

    name: ClassVar[str] = "Acrobot-v1"
    varied: ClassVar[tuple[str, ...]] = ("link_length_1", "link_mass_1", "link_mass_2", "link_moi")
    scales: ClassVar[tuple[float, ...]] = (1.0, 1.0, 1.0, 1.0, 3.0, 6.0)

    @property
    def outputs(self) -> int:
        return 3

    def returns(self, world: World) -> tuple[float, float]:
        return -float(self.horizon), -70.0

    def parameters(self, factors: dict[str, Array]) -> dict[str, Any]:
        return factors | {"link_com_pos_1": factors["link_length_1"] / 2}


@dataclass(frozen=True)
class Pendulum(Classic):
    """Swing a pendulum up and hold it with a torque that is too weak to lift it; the reward is minus squared angle, speed and
    torque.
    """

    name: ClassVar[str] = "Pendulum-v1"
    varied: ClassVar[tuple[str, ...]] = ("g", "m", "l")
    scales: ClassVar[tuple[float, ...]] = (1.0, 1.0, 4.0)
    discrete: ClassVar[bool] = False
    strength: ClassVar[float] = 2.0

    @property
    def outputs(self) -> int:
        return 1

    def returns(self, world: World) -> tuple[float, float]:
        return -6.1 * self.horizon, 0.0

    def parameters(self, factors: dict[str, Array]) -> dict[str, Any]:
        return factors


@dataclass(frozen=True)
class MountainCar(Classic):
    """Rock an engine that is too weak out of a valley (Moore 1990); -1 a step until it is out."""

    name: ClassVar[str] = "MountainCar-v0"
    varied: ClassVar[tuple[str, ...]] = ("force", "gravity")
    scales: ClassVar[tuple[float, ...]] = (0.5, 0.03)

    @property
    def outputs(self) -> int:
        return 3

    def returns(self, world: World) -> tuple[float, float]:
        return -float(self.horizon), -90.0

    def parameters(self, factors: dict[str, Array]) -> dict[str, Any]:
        return factors

    def reward(self, reward: Scalar, over: Flag) -> Scalar:
        return over - 1.0
