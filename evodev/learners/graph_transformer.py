"""What a graph is updated by: attention over edges (Dwivedi & Bresson 2020, arXiv 2012.09699), gated cells, and gates.

All of it is for one graph of ``n`` nodes; an edge (j, i) goes from node j to node i, as in a matrix (pre, post). What there is
of every edge has its features first: matrices of pairs, which a CPU computes three times as fast as pairs of features.
"""

import jax
import jax.numpy as jnp

from evodev.genome import Gene
from evodev.types import Array, Float, Genes, Matrix, Vector

KEEP = 3.0
"""Bias of the gate that keeps a state, in a genome of zeros: it forgets a twentieth in a step."""
CLIP = 50.0
"""Largest magnitude of what is exponentiated, so that no genome makes it infinite."""
UNITS = 16
"""Hidden units of a gate that decides."""


def mix(weights: Matrix, x: Float[Array, "pre ..."]) -> Float[Array, "post ..."]:
    """``weights.T @ x`` whatever follows the first axis; for few features of much, where a product of matrices is slow."""
    return (weights.reshape(*weights.shape, *[1] * (x.ndim - 1)) * x[:, None]).sum(0)


def along(bias: Vector, x: Array) -> Array:
    """A number a feature, to be added to ``x``, which has features first."""
    return bias.reshape(-1, *[1] * (x.ndim - 1))


def attention_genes(features: int, edge_features: int, heads: int, width: int) -> list[Gene]:
    """Genes of :func:`attend`; each head compares and passes on ``width`` numbers of a node."""
    wide, scale = (features, heads, width), features**-0.5
    return [
        Gene("query", wide, scale=scale),
        Gene("key", wide, scale=scale),
        Gene("value", wide, scale=scale),
        Gene("edge", (edge_features, heads), scale=edge_features**-0.5),
        Gene("edge_bias", (heads,), 1.0),
        Gene("out", (heads, width, features), scale=(heads * width) ** -0.5),
        Gene("out_bias", (features,), scale=0.5),
    ]


def attend(
    genes: Genes, x: Float[Array, "n features"], edges: Float[Array, "edge_features n n"], alive: Vector
) -> Float[Array, "n features"]:
    """What each node gathers from all living ones; an affine read-out of the edge multiplies the score, head by head."""
    query, key, value = (jnp.einsum("nf,fhw->hnw", x, genes[name]) for name in ("query", "key", "value"))
    weight = mix(genes["edge"], edges)
    scores = jnp.einsum("hjw,hiw->hji", key, query) * key.shape[-1] ** -0.5
    scores = jnp.clip(scores * (weight + along(genes["edge_bias"], weight)), -CLIP, CLIP)
    share = jax.nn.softmax(jnp.where(alive[:, None] > 0, scores, -2.0 * CLIP), axis=1)
    gathered = jnp.einsum("hji,hjw->ihw", share, value)
    return jnp.einsum("ihw,hwf->if", gathered, genes["out"]) + genes["out_bias"]


def cell_genes(size: int) -> list[Gene]:
    """Genes of :func:`cell` but those of what arrives."""
    return [
        Gene("recurrent", (size, 2 * size), scale=size**-0.5),
        Gene("inner", (size, size), scale=size**-0.5),
        Gene("reset", (size,)),
        Gene("keep", (size,), KEEP),
        Gene("candidate", (size,), scale=0.5),
    ]


def cell(genes: Genes, drive: Float[Array, "gates ..."], state: Float[Array, "size ..."]) -> Float[Array, "size ..."]:
    """A gated recurrent unit (Cho et al. 2014): state after ``drive``, what arrives at reset, keep and candidate in turn."""
    to_reset, to_keep, to_candidate = jnp.split(drive, 3)
    from_reset, from_keep = jnp.split(mix(genes["recurrent"], state), 2)
    reset = jax.nn.sigmoid(to_reset + from_reset + along(genes["reset"], state))
    keep = jax.nn.sigmoid(to_keep + from_keep + along(genes["keep"], state))
    candidate = jnp.tanh(to_candidate + mix(genes["inner"], reset * state) + along(genes["candidate"], state))
    return keep * state + (1.0 - keep) * candidate


def gate_genes(bias: float = 0.0) -> list[Gene]:
    """Genes of :func:`opens` but those of what arrives; ``bias`` is the gate's log-odds in a genome of zeros."""
    return [Gene("hidden", (UNITS,), scale=0.5), Gene("out", (UNITS,), scale=UNITS**-0.5), Gene("bias", (), bias)]


def opens(genes: Genes, drive: Float[Array, "units ..."]) -> Float[Array, "..."]:
    """Log-odds that a gate opens, after ``drive``, what arrives at its hidden units."""
    hidden = jax.nn.relu(drive + along(genes["hidden"], drive))
    return (hidden * along(genes["out"], drive)).sum(0) + genes["bias"]
