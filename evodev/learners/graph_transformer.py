"""What a graph is updated by: attention over edges (Dwivedi & Bresson 2020, arXiv 2012.09699), gated cells, and gates.

All of it is for one graph of ``n`` nodes; an edge (j, i) goes from node j to node i, as in a matrix (pre, post).
"""

import jax
import jax.numpy as jnp

from evodev.genome import Gene
from evodev.types import Array, Float, Genes, Vector

KEEP = 3.0
"""Bias of the gate that keeps a state, in a genome of zeros: it forgets a twentieth in a step."""
CLIP = 50.0
"""Largest magnitude of what is exponentiated, so that no genome makes it infinite."""
UNITS = 16
"""Hidden units of a gate that decides."""


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
    genes: Genes, x: Float[Array, "n features"], edges: Float[Array, "n n edge_features"], alive: Vector
) -> Float[Array, "n features"]:
    """What each node gathers from all living ones; an affine read-out of the edge multiplies the score, head by head."""
    query, key, value = (jnp.einsum("nf,fhw->nhw", x, genes[name]) for name in ("query", "key", "value"))
    scores = jnp.einsum("ihw,jhw->jih", query, key) * key.shape[-1] ** -0.5
    scores = jnp.clip(scores * (edges @ genes["edge"] + genes["edge_bias"]), -CLIP, CLIP)
    share = jax.nn.softmax(jnp.where(alive[:, None, None] > 0, scores, -2.0 * CLIP), axis=0)
    gathered = jnp.einsum("jih,jhw->ihw", share, value)
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


def cell(genes: Genes, drive: Float[Array, "... gates"], state: Float[Array, "... size"]) -> Float[Array, "... size"]:
    """A gated recurrent unit (Cho et al. 2014): state after ``drive``, what arrives at reset, keep and candidate in turn."""
    size = state.shape[-1]
    recurrent = state @ genes["recurrent"]
    reset = jax.nn.sigmoid(drive[..., :size] + recurrent[..., :size] + genes["reset"])
    keep = jax.nn.sigmoid(drive[..., size : 2 * size] + recurrent[..., size:] + genes["keep"])
    candidate = jnp.tanh(drive[..., 2 * size :] + (reset * state) @ genes["inner"] + genes["candidate"])
    return keep * state + (1.0 - keep) * candidate


def gate_genes(bias: float = 0.0) -> list[Gene]:
    """Genes of :func:`opens` but those of what arrives; ``bias`` is the gate's log-odds in a genome of zeros."""
    return [Gene("hidden", (UNITS,), scale=0.5), Gene("out", (UNITS,), scale=UNITS**-0.5), Gene("bias", (), bias)]


def opens(genes: Genes, drive: Float[Array, "... units"]) -> Float[Array, "..."]:
    """Log-odds that a gate opens, after ``drive``, what arrives at its hidden units."""
    return jax.nn.relu(drive + genes["hidden"]) @ genes["out"] + genes["bias"]
