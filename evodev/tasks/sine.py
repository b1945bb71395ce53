"""Sine regression: the protocol of MAML (Finn et al. 2017, arXiv 1703.03400, section 5.1)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp

from evodev.tasks.base import Life, Split, Task, check_counts, check_split
from evodev.types import Key


@dataclass(frozen=True)
class Sine(Task):
    """y = amplitude * sin(x - phase); a life sees the same ``shots`` labelled points again at each of its steps.

    Amplitude in [.1, 5], phase in [0, pi], x in [-5, 5], all uniform. As in the paper the three families are independent
    draws from one distribution: nothing is held out but the draws themselves.

    Attributes:
        shots: labelled points of a life (the paper's K).
        updates: learning steps, each on all points.
        probes: fresh points by which the life is probed.
        amplitude: its least and largest value.
    """

    shots: int = 10
    updates: int = 10
    probes: int = 50
    amplitude: tuple[float, float] = (0.1, 5.0)
    problem: ClassVar[Literal["classification", "regression"]] = "regression"

    def __post_init__(self) -> None:
        check_counts(self, "shots", "updates", "probes")
        if not 0 <= self.amplitude[0] < self.amplitude[1]:
            raise ValueError(f"task: amplitude must be a range above 0, given {self.amplitude}")

    @property
    def inputs(self) -> int:
        return 1

    @property
    def outputs(self) -> int:
        return 1

    @property
    def steps(self) -> int:
        return self.updates

    @property
    def batch(self) -> int:
        return self.shots

    @property
    def labels(self) -> int:
        return self.shots

    @property
    def unit(self) -> str:
        return f"steps on the same {self.shots} points"

    @property
    def ignorant_loss(self) -> float:
        # E[amplitude^2] * E[sin^2]; the second factor is 1/2 to within 1%
        low, high = self.amplitude
        return (high**3 - low**3) / (3 * (high - low)) / 2

    @property
    def held_out(self) -> str:
        return "fresh amplitudes, phases and points of the same ranges (the published protocol holds out no range)"

    def sample(self, split: Split, *, key: Key) -> Life:
        check_split(split)
        key_amplitude, key_phase, key_points, key_probes = jax.random.split(key, 4)
        amplitude = jax.random.uniform(key_amplitude, (), minval=self.amplitude[0], maxval=self.amplitude[1])
        phase = jax.random.uniform(key_phase, (), minval=0.0, maxval=jnp.pi)
        points = jax.random.uniform(key_points, (self.shots, 1), minval=-5.0, maxval=5.0)
        probes = jax.random.uniform(key_probes, (self.probes, 1), minval=-5.0, maxval=5.0)

        def world(x: jax.Array) -> jax.Array:
            return amplitude * jnp.sin(x - phase)

        stream = jnp.broadcast_to(points, (self.updates, self.shots, 1))
        return Life(stream, world(stream), probes, world(probes))
