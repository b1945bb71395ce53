"""Two shapes that supervised lives share: an example of every class at each step, and fresh samples at each step."""

from math import log, prod
from typing import ClassVar, Literal

import jax.numpy as jnp

from evodev.tasks.base import Life, Task, check_counts
from evodev.types import Array, Float, Shaped


class FewShot(Task):
    """``ways`` classes a life, one example of each at every step; the same classes are probed with other examples.

    A leaf is a frozen dataclass with the three fields below, and says how its inputs lie in ``grid``.

    Attributes:
        ways: classes in a life.
        shots: learning steps, each with one example of every class.
        probes: probe examples of each class.
    """

    # declared, not fields: a leaf gives them their place and default
    ways: int
    shots: int
    probes: int
    problem: ClassVar[Literal["classification", "regression"]] = "classification"

    @property
    def inputs(self) -> int:
        return prod(self.grid)

    @property
    def outputs(self) -> int:
        return self.ways

    @property
    def steps(self) -> int:
        return self.shots

    @property
    def batch(self) -> int:
        return self.ways

    @property
    def unit(self) -> str:
        return "samples a class"

    @property
    def ignorant_loss(self) -> float:
        return log(self.ways)

    def check_few_shot(self, classes: tuple[int, str], examples: tuple[int, str] | None = None) -> None:
        """Raises ValueError, naming the field, if a life needs more than there is.

        Args:
            classes: of the smallest family, and what they are.
            examples: of the rarest class, and what they are; no limit if None.
        """
        if not 2 <= self.ways <= classes[0]:
            raise ValueError(f"task: ways must be from 2 to {classes[0]}, {classes[1]}; given {self.ways}")
        check_counts(self, "shots", "probes")
        if examples is not None and self.shots + self.probes > examples[0]:
            raise ValueError(
                f"task: shots + probes must be at most {examples[0]}, {examples[1]}; given {self.shots} + {self.probes}"
            )

    def life_of(self, examples: Float[Array, "examples ways *features"]) -> Life:
        """The first ``shots`` examples of each class to learn from, the others to be probed by; a label a column."""
        labels = jnp.broadcast_to(jnp.arange(self.ways), examples.shape[:2])
        return Life(
            examples[: self.shots],
            labels[: self.shots],
            examples[self.shots :].reshape(-1, *examples.shape[2:]),
            labels[self.shots :].reshape(-1),
        )


class FreshSamples(Task):
    """``shots`` labelled samples at each of ``updates`` steps, every one of them new.

    A leaf is a frozen dataclass with the three fields below.

    Attributes:
        updates: learning steps.
        shots: labelled samples at each of them.
        probes: further samples by which the life is probed.
    """

    updates: int
    shots: int
    probes: int

    @property
    def steps(self) -> int:
        return self.updates

    @property
    def batch(self) -> int:
        return self.shots

    @property
    def samples(self) -> int:
        """Different samples of a life, probes included."""
        return self.updates * self.shots + self.probes

    def check_samples(self, available: int, what: str) -> None:
        """Raises ValueError if there are not as many different samples as a life needs."""
        if self.samples > available:
            raise ValueError(f"task: updates * shots + probes must be at most {available}, {what}; given {self.samples}")

    def life_of(self, inputs: Float[Array, " samples *features"], targets: Shaped[Array, " samples *outputs"]) -> Life:
        """All but the last ``probes`` samples to learn from, in order."""

        def stream(x: Array) -> Array:
            return x[: -self.probes].reshape(self.updates, self.shots, *x.shape[1:])

        return Life(stream(inputs), stream(targets), inputs[-self.probes :], targets[-self.probes :])
