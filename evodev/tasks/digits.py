"""Few-shot digits: real 8x8 handwritten digits, shifted over a canvas and turned, with labels drawn anew in each life."""

from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from evodev.tasks.base import Life, Split, check_split, placed, some_of
from evodev.tasks.supervised import FewShot
from evodev.types import Array, Key

SIDE = 8
FAMILIES: dict[Split, tuple[int, ...]] = {"train": tuple(range(6)), "validation": tuple(range(6)), "test": (6, 7, 8, 9)}


def _digits(split: Split, fold: tuple[int, ...]) -> tuple[int, ...]:
    """The digits of a family; with a fold, validation has those and training the others."""
    if not fold or split == "test":
        return FAMILIES[split]
    return fold if split == "validation" else tuple(d for d in FAMILIES[split] if d not in fold)


def _table() -> np.ndarray:
    """scikit-learn's digits (n, 65): 64 pixels from 0 to 16, and the digit."""
    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    try:  # the file itself: importing scikit-learn takes longer than everything else that a task needs
        return np.loadtxt(Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",")
    except OSError:
        from sklearn.datasets import load_digits

        data: Any = load_digits()
        return np.column_stack([data.data, data.target])


@cache
def _images(split: Split, fold: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images (n, 8, 8) in [0, 1] of a family, sorted by digit; where each digit starts; how many it has."""
    data = _table()
    images, digits = data[:, :-1].reshape(-1, SIDE, SIDE).astype(np.float32) / 16.0, data[:, -1].astype(int)
    parts = []
    for digit in _digits(split, fold):
        own = images[digits == digit]
        # images are held out only where the validation has no digits of its own
        cut = 0 if fold and split == "validation" else len(own) if fold else round(0.75 * len(own))
        parts.append({"train": own[:cut], "validation": own[cut:], "test": own}[split])
    counts = np.array([len(p) for p in parts], np.int32)
    return np.concatenate(parts), np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int32), counts


@dataclass(frozen=True)
class FewShotDigits(FewShot):
    """``ways`` classes a life, one example of each at every step; a class is a digit in one rotation.

    scikit-learn's digits, placed uniformly at random on a ``canvas`` x ``canvas`` field. Train: digits 0-5, the first 75% of
    each digit's images. Validation: the same classes, the other images, unless digits are held out of training for it
    (``fold``). Test: digits 6-9, classes never seen. Which class carries which label is drawn in each life.

    Attributes:
        canvas: side of the field, at least that of a digit.
        shift: place the digit at random; centred if false.
        rotations: quarter turns that make classes, from 0, 1, 2, 3.
        ways: classes in a life.
        shots: learning steps, each with one example of every class.
        probes: probe images of each class.
        fold: of digits 0-5, those that are held out for validation, all their images; then training has all images of the
            others.
        classes: to train on; all that there are if none.
        subset: which of them those are; each number stands for others, and of one subset fewer are among more.
        size: side of a digit on the field, to which its 8x8 pixels are scaled.
    """

    canvas: int = 12
    shift: bool = True
    rotations: tuple[int, ...] = (0, 1)
    ways: int = 5
    shots: int = 20
    probes: int = 8
    fold: tuple[int, ...] = ()
    classes: int | None = None
    subset: int = 0
    size: int = SIDE

    def __post_init__(self) -> None:
        if not 1 <= self.size <= self.canvas:
            raise ValueError(f"task: canvas must be at least {self.size}, the side of a digit; given {self.canvas}")
        turns = self.rotations
        if not turns or len(set(turns)) != len(turns) or not set(turns) <= {0, 1, 2, 3}:
            raise ValueError(f"task: rotations must be different quarter turns out of 0, 1, 2, 3; given {turns}")
        if len(set(self.fold)) != len(self.fold) or not set(self.fold) < set(FAMILIES["train"]):
            raise ValueError(f"task: fold must be some of the digits 0-5, not all; given {self.fold}")
        digits = {split: len(_digits(split, self.fold)) for split in FAMILIES}
        if self.classes is not None and not 2 <= self.classes <= digits["train"] * len(turns):
            raise ValueError(
                f"task: classes must be from 2 to {digits['train'] * len(turns)}, those to train on; given {self.classes}"
            )
        smallest = min(digits, key=lambda split: (digits[split], split))
        fewest = digits[smallest] * len(turns)
        limit = (fewest, f"the classes of the smallest family ({digits[smallest]} {smallest} digits x {len(turns)} rotations)")
        if self.classes is not None and self.classes < fewest:
            limit = (self.classes, "the classes to train on")
        self.check_few_shot(
            limit, (min(int(_images(split, self.fold)[2].min()) for split in FAMILIES), "the images of the rarest digit")
        )

    @property
    def grid(self) -> tuple[int, ...]:
        return (self.canvas, self.canvas)

    @property
    def held_out(self) -> str:
        if self.fold:
            return f"validation: unseen classes (digits {', '.join(map(str, self.fold))}); test: unseen classes (digits 6-9)"
        return "validation: unseen images of the train classes (digits 0-5); test: unseen classes (digits 6-9)"

    def folded(self) -> "FewShotDigits":
        """With the last digits of 0-5 held out, as few as make up a life, if those left make up one too."""
        many = -(-self.ways // len(self.rotations))
        digits = FAMILIES["train"]
        if self.fold or self.classes is not None or (len(digits) - many) * len(self.rotations) < self.ways:
            return self
        return replace(self, fold=digits[-many:])

    def sample(self, split: Split, *, key: Key) -> Life:
        check_split(split)
        images, starts, counts = (jnp.asarray(a) for a in _images(split, self.fold))
        key_class, key_image, key_shift = jax.random.split(key, 3)
        available = len(_digits(split, self.fold)) * len(self.rotations)
        among = some_of(available, self.classes, self.subset) if split == "train" else np.arange(available)
        classes = jnp.asarray(among)[jax.random.permutation(key_class, len(among))[: self.ways]]
        digit, turn = classes // len(self.rotations), jnp.array(self.rotations)[classes % len(self.rotations)]
        # a random subset without replacement: the images with the smallest of uniform draws, within each digit's own
        many, most = self.shots + self.probes, int(_images(split, self.fold)[2].max())
        draw = jax.random.uniform(key_image, (self.ways, most))
        draw = jnp.where(jnp.arange(most) < counts[digit][:, None], draw, 2.0)
        chosen = starts[digit][:, None] + jnp.argsort(draw, axis=1)[:, :many]
        pictures = self._place(images[chosen], jnp.broadcast_to(turn[:, None], chosen.shape), key=key_shift)
        return self.life_of(pictures.transpose(1, 0, 2, 3))

    def _place(self, images: Array, turns: Array, *, key: Key) -> Array:
        """Turn every image (..., 8, 8) by its own quarter turns and put it on the canvas."""
        flat, turn = images.reshape(-1, SIDE, SIDE), turns.reshape(-1)
        turned = jnp.stack([jnp.rot90(flat, k, axes=(1, 2)) for k in range(4)])[turn, jnp.arange(turn.size)]
        if self.size != SIDE:
            turned = jax.image.resize(turned, (len(turned), self.size, self.size), "linear")
        room = self.canvas - self.size
        corner = jax.random.randint(key, (turn.size, 2), 0, room + 1) if self.shift else jnp.full((turn.size, 2), room // 2)
        field = placed(turned, corner, self.canvas)
        return field.reshape(*images.shape[:-2], self.canvas, self.canvas)
