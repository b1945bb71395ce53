"""Array types shared by every module: names for shapes, no logic.

Axis names used throughout: ``genes`` (numbers in a genome), ``n`` (neurons in a population), ``pre`` / ``post``
(neurons on either side of a projection), ``batch`` (examples presented together), ``features`` (inputs or outputs of
one example), ``steps`` (learning steps of a life), ``probes`` (moments at which a life is measured).
"""

from flax import struct
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped

Key = PRNGKeyArray
Scalar = Float[Array, ""]
Count = Int[Array, ""]
Flag = Bool[Array, ""]
Genome = Float[Array, " genes"]
Genomes = Float[Array, "population genes"]
Genes = dict[str, Float[Array, "..."]]
Vector = Float[Array, " n"]
Matrix = Float[Array, "pre post"]
Inputs = Float[Array, "batch *features"]
Outputs = Float[Array, "batch outputs"]
Targets = Shaped[Array, "batch ..."]
Curve = Float[Array, " probes"]


@struct.dataclass
class Moment:
    """One step of a life that acts, as it is felt.

    ``action`` is 1 for what was done and 0 for what was not, or the values; ``reward`` has mean 0 and spread 1 over the life
    so far; ``over`` is set where the world came to an end, in failure or success, ``last`` also where time ran out.
    """

    observation: Float[Array, " inputs"]
    action: Float[Array, " outputs"]
    reward: Scalar
    following: Float[Array, " inputs"]
    over: Flag
    last: Flag


__all__ = [
    "Array",
    "Bool",
    "Count",
    "Curve",
    "Flag",
    "Float",
    "Genes",
    "Genome",
    "Genomes",
    "Inputs",
    "Int",
    "Key",
    "Matrix",
    "Moment",
    "Outputs",
    "Scalar",
    "Shaped",
    "Targets",
    "Vector",
]
