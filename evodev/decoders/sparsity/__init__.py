"""Second move, second half: which of the proposed synapses exist."""

from evodev.decoders.sparsity.counts import AllSynapses, Budget, FanIn
from evodev.decoders.sparsity.threshold import Bernoulli, StraightThrough, Threshold

__all__ = ["AllSynapses", "Bernoulli", "Budget", "FanIn", "StraightThrough", "Threshold"]
