from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from evodev import content
from evodev.content import digest, source
from evodev.learners import Gradient
from evodev.presets import preset


@dataclass(frozen=True)
class Plain:
    number: float = 1.0
    memory: dict[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Namesake:
    number: float = 1.0


def _adds(n: int) -> Callable[[int], int]:
    return lambda x: x + n


DIFFERENT: list[tuple[Any, Any]] = [
    (1, 1.0),
    ("1", 1),
    ([1, [2]], [[1], 2]),
    ({"a": 1}, {"b": 1}),
    (Plain(), Plain(2.0)),
    (Plain(), Namesake()),
    (np.zeros(2), np.zeros((2, 1))),
    (np.zeros(2, np.float32), np.zeros(2, np.int32)),
    (jnp.array([1.0, 2.0]), jnp.array([2.0, 1.0])),
    (jax.random.key(0), jax.random.key(1)),
    (_adds(1), _adds(2)),
    (optax.sgd(0.1), optax.sgd(0.2)),
    (Gradient(log_rate=-1.0), Gradient(log_rate=-2.0)),
    (preset("sine"), replace(preset("sine"), seed=1)),
    (preset("sine").organism.hatch, preset("cartpole").organism.hatch),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_differs_has_another_digest(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)


@pytest.mark.parametrize("index", range(len(DIFFERENT)))
def test_what_is_made_twice_has_one_digest(index: int) -> None:
    makes: list[Callable[[], Any]] = [
        lambda: 1, lambda: "1", lambda: [1, [2]], lambda: {"b": 2, "a": 1}, Plain, Namesake, lambda: np.zeros(2),
        lambda: np.zeros(2, np.float32), lambda: jnp.array([1.0, 2.0]), lambda: jax.random.key(0), lambda: _adds(1),
        lambda: optax.sgd(0.1), Gradient, lambda: preset("sine"), lambda: preset("sine").organism.hatch,
    ]  # fmt: skip
    assert digest(makes[index]()) == digest(makes[index]())


def test_a_memory_that_does_not_count_for_equality_does_not_count_here() -> None:
    assert digest(Plain(memory={"a": 1})) == digest(Plain())


def test_the_order_of_a_mapping_does_not_matter_and_that_of_arguments_does() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest(1, 2) != digest(2, 1)


def test_new_code_is_other_content_unless_it_only_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_package(**files: str) -> str:
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.setattr(content, "__file__", str(tmp_path / "content.py"))
        source.cache_clear()
        return source()

    first = of_package(lifetime="a = 1", cli="b = 1")
    assert of_package(cli="b = 2") == first
    assert of_package(lifetime="a = 2") != first
    source.cache_clear()
