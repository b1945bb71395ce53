"""Reference line that needs no network: logistic regression on the raw inputs of all samples so far."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from evodev.baselines.base import Arm, Baseline, Report, Role, Setting
from evodev.baselines.neighbours import Memory, Remembering, reference
from evodev.substrate import Substrate
from evodev.types import Array, Genes, Inputs, Key, Outputs


@dataclass(frozen=True)
class Logistic(Remembering):
    """Multinomial logistic regression, fitted anew to every sample so far whenever it is asked.

    The minimum of ``sum(cross-entropy) / penalty + |weights|^2 / 2``, intercepts free: that of scikit-learn's
    ``LogisticRegression(C=1 / penalty)``. Found by steps under the quadratic bound on the softmax (Boehning 1992), which is
    the same for every class, with Nesterov's momentum, started again where it points uphill (O'Donoghue and Candes 2015).

    Attributes:
        capacity: samples in a life.
        penalty: on the weights.
        steps: of the minimisation.
    """

    capacity: int
    penalty: float = 1.0
    steps: int = 100

    def predict(self, genes: Genes, state: Memory, inputs: Inputs, substrate: Substrate) -> Outputs:
        known = state.labels.sum(0) > 0
        answers = _with_one(inputs) @ self._fitted(state, known)
        # a class of which nothing is known is as likely as the mean of the known ones
        mean = jnp.where(known, answers, 0.0).sum(-1, keepdims=True) / jnp.maximum(known.sum(), 1)
        return jnp.where(known, answers, mean)

    def _fitted(self, state: Memory, known: Array) -> Array:
        """Weights and, last, intercepts (features + 1, classes)."""
        there = (jnp.arange(self.capacity) < state.count).astype(jnp.float32)
        x = _with_one(state.inputs) * there[:, None]
        # no penalty on the intercepts, but for what keeps an empty memory from dividing by zero
        penalties = jnp.full(x.shape[1], self.penalty).at[-1].set(1e-6)
        bound = jax.scipy.linalg.cho_factor(0.5 * x.T @ x + jnp.diag(penalties))

        def slope(w: Array) -> Array:
            # finite, so that it is nowhere divided by zero where no class is known
            share = jax.nn.softmax(jnp.where(known, x @ w, -1e30))
            return x.T @ ((share - state.labels) * there[:, None]) + penalties[:, None] * w

        def step(_: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            last, ahead, momentum = carry
            down = slope(ahead)
            now = ahead - jax.scipy.linalg.cho_solve(bound, down)
            uphill = (down * (now - last)).sum() > 0
            faster = jnp.where(uphill, 1.0, (1 + jnp.sqrt(1 + 4 * momentum**2)) / 2)
            return now, now + jnp.where(uphill, 0.0, (momentum - 1) / faster) * (now - last), faster

        zero = jnp.zeros((x.shape[1], state.labels.shape[1]))
        return jax.lax.fori_loop(0, self.steps, step, (zero, zero, jnp.asarray(1.0)))[0]


def _with_one(x: Array) -> Array:
    return jnp.concatenate([x, jnp.ones((len(x), 1))], axis=1)


@dataclass(frozen=True)
class PixelLogistic(Baseline):
    """Logistic regression on raw inputs, refitted at each probe."""

    role: ClassVar[Role] = "reference"
    routine: ClassVar[bool] = False

    def applies(self, setting: Setting) -> bool:
        return setting.task.problem == "classification"

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        note = "no network; all samples so far fitted at each probe, penalty as scikit-learn has it (C = 1)"
        return reference(name, setting.task, Logistic(setting.task.steps * setting.task.batch), note)
