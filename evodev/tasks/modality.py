"""Modality: the same latents through two different invertible encoders, as through the eye or the ear."""

from dataclasses import dataclass
from functools import cache
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from evodev.tasks.base import Life, Split, check_split
from evodev.tasks.supervised import FewShot
from evodev.types import Array, Key

Encoder = Literal["eye", "ear"]
SHARES: dict[Split, tuple[float, float]] = {"train": (0, 1 / 2), "validation": (1 / 2, 3 / 4), "test": (3 / 4, 1)}
"""Share of the orthants of latent space in which the prototypes of a family lie."""


@cache
def rotations(encoder: Encoder, latents: int) -> np.ndarray:
    """Three random orthogonal matrices (3, latents, latents), always the same for an encoder."""
    draw = np.random.default_rng(("eye", "ear").index(encoder))
    return np.stack([np.linalg.qr(draw.normal(size=(latents, latents)))[0] for _ in range(3)]).astype(np.float32)


def encoded(latent: Array, encoder: Encoder) -> Array:
    """Latents (..., latents) -> inputs of the same shape: rotate, squash, rotate, squash, rotate."""
    first, second, third = rotations(encoder, latent.shape[-1])
    return jnp.arcsinh(2 * jnp.arcsinh(2 * latent @ first) @ second) @ third


def decoded(inputs: Array, encoder: Encoder) -> Array:
    """Inverse of :func:`encoded`."""
    first, second, third = rotations(encoder, inputs.shape[-1])
    return jnp.sinh(jnp.sinh(inputs @ third.T) / 2 @ second.T) / 2 @ first.T


@cache
def orthants(latents: int) -> np.ndarray:
    """Signs (2^latents, latents) of all orthants, in a random order that is always the same."""
    signs = 2.0 * ((np.arange(2**latents)[:, None] >> np.arange(latents)) & 1) - 1.0
    return np.random.default_rng(0).permutation(signs).astype(np.float32)


@dataclass(frozen=True)
class Modality(FewShot):
    """``ways`` classes a life, each a cloud around a prototype in latent space; what is seen is the encoded latent.

    With the same key, both encoders give the same latents and labels. A prototype is an orthant with half-normal lengths;
    prototypes are drawn in each life, those of a life in different orthants. The families have disjoint orthants.

    Attributes:
        encoder: which of the two fixed random invertible maps.
        latents: numbers in a latent, and in an input; from 4 to 12.
        noise: standard deviation of a cloud; the prototypes' is 1.
        ways: classes in a life.
        shots: learning steps, each with one example of every class.
        probes: probe examples of each class.
    """

    encoder: Encoder = "eye"
    latents: int = 8
    noise: float = 0.3
    ways: int = 5
    shots: int = 20
    probes: int = 10

    def __post_init__(self) -> None:
        if self.encoder not in ("eye", "ear"):
            raise ValueError(f"task: encoder must be eye or ear, given {self.encoder!r}")
        if not 4 <= self.latents <= 12:
            raise ValueError(f"task: latents must be from 4 to 12, given {self.latents}")
        if self.noise <= 0:
            raise ValueError(f"task: noise must be positive, given {self.noise}")
        self.check_few_shot((2**self.latents // 4, "the orthants of the smallest family"))

    @property
    def grid(self) -> tuple[int, ...]:
        return (self.latents,)

    @property
    def held_out(self) -> str:
        return "where prototypes lie: a quarter of the orthants of latent space each for validation and test, half to train on"

    def sample(self, split: Split, *, key: Key) -> Life:
        check_split(split)
        key_orthant, key_length, key_noise = jax.random.split(key, 3)
        low, high = (round(share * 2**self.latents) for share in SHARES[split])
        own = jnp.asarray(orthants(self.latents)[low:high])
        signs = own[jax.random.permutation(key_orthant, high - low)[: self.ways]]
        prototypes = signs * jnp.abs(jax.random.normal(key_length, signs.shape))
        noise = jax.random.normal(key_noise, (self.shots + self.probes, *signs.shape))
        return self.life_of(encoded(prototypes + self.noise * noise, self.encoder))
