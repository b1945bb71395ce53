"""Published systems as compositions of parts; one line here adds one."""

from evodev.decoders.base import Cells, Decoder, Refinement, Sparsity, Wiring
from evodev.decoders.cells.address import BinaryAddress
from evodev.decoders.cells.coordinates import Coordinates
from evodev.decoders.cells.cosine import CosineBasis
from evodev.decoders.cells.gaussians import Gradients, SpatialGaussians
from evodev.decoders.cells.growth import Growth
from evodev.decoders.cells.soft_types import SoftTypes
from evodev.decoders.cells.table import ExpressionTable
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.refinement.homeostasis import Homeostasis
from evodev.decoders.refinement.spontaneous import SpontaneousActivity
from evodev.decoders.sparsity import AllSynapses, Bernoulli, Budget, FanIn, StraightThrough, Threshold
from evodev.decoders.wiring.automaton import CellularAutomaton
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.decoders.wiring.compatibility import TypeCompatibility
from evodev.decoders.wiring.cppn import CPPN
from evodev.decoders.wiring.direct import Direct
from evodev.decoders.wiring.edge import EdgeMLP
from evodev.decoders.wiring.pairwise import PairwiseMLP
from evodev.decoders.wiring.relative import RelativePosition

CELLS: dict[str, type[Cells]] = {
    "cell_types": CellTypes,
    "spatial_gaussians": SpatialGaussians,
    "gradients": Gradients,
    "binary_address": BinaryAddress,
    "growth": Growth,
    "expression_table": ExpressionTable,
    "cosine_basis": CosineBasis,
    "coordinates": Coordinates,
    "soft_types": SoftTypes,
}

WIRINGS: dict[str, type[Wiring]] = {
    "relative_position": RelativePosition,
    "bilinear": Bilinear,
    "pairwise_mlp": PairwiseMLP,
    "edge_mlp": EdgeMLP,
    "cppn": CPPN,
    "type_compatibility": TypeCompatibility,
    "cellular_automaton": CellularAutomaton,
    "direct": Direct,
}

SPARSITIES: dict[str, type[Sparsity]] = {
    "all": AllSynapses,
    "fan_in": FanIn,
    "budget": Budget,
    "threshold": Threshold,
    "straight_through": StraightThrough,
    "bernoulli": Bernoulli,
}

REFINEMENTS: dict[str, type[Refinement]] = {
    "spontaneous_activity": SpontaneousActivity,
    "homeostasis": Homeostasis,
}

# All departures from a paper are told by the parts; a synapse budget is our own wherever it appears.
DECODERS: dict[str, Decoder] = {
    # one kernel a pair of cell types, read over relative position in a local window: ours, after retinotopic maps
    "retinotopic": Decoder(CellTypes(), RelativePosition(), Budget()),
    # Barabasi et al. 2023, GEM: an expression table, gene-gene rules shared by all projections; departs in its biases
    "gem": Decoder(ExpressionTable(), Bilinear(shared=True, scaled=True), Budget()),
    # Barabasi et al. 2023, spatial GEM: Gaussian expression in space; departs in rules of each projection's own
    "spatial_gem": Decoder(SpatialGaussians(), Bilinear(), Budget()),
    # the same rules over Fourier gradients of expression: ours
    "fourier_gem": Decoder(Gradients(), Bilinear(), Budget()),
    # Shuvaev et al. 2024, G-net: binary addresses, GN30, a small network a projection; departs in bits of -1/1, tanh and
    # in that the outputs' biases are grown
    "gnet": Decoder(BinaryAddress("paper"), PairwiseMLP((30, 10)), Budget()),
    # Stanley et al. 2009, HyperNEAT with link expression; departs in a fixed topology where NEAT would grow it, and in weights
    # that are scaled to the number of inputs
    "hyperneat": Decoder(Coordinates(), CPPN(scaled=True, channels=("logit",)), Budget()),
    # Koutnik et al. 2010: the lowest coefficients of the weights' cosine transform; departs in which count as low
    "dct": Decoder(CosineBasis(), Bilinear(scaled=True), Budget()),
    # Sudarshan 2026, NDNA: soft types by depth, type compatibility, a mask trained straight through; departs in the budget,
    # where it has a threshold at 0 and a wiring cost, under which a random genome grows nothing
    "ndna": Decoder(SoftTypes(), TypeCompatibility(), Budget(slope=1.0)),
    # Najarro et al. 2022, HyperNCA: a cellular automaton on each weight matrix; departs in a seed that knows the neurons
    "hypernca": Decoder(Coordinates(), CellularAutomaton(), Budget()),
    # Najarro et al. 2023, NDP: growth from one cell, one MLP for all synapses; Threshold(0.3) is its pruning
    "ndp": Decoder(Growth(), EdgeMLP(), AllSynapses()),
    # the uncompressed control: a gene a synapse
    "direct": Decoder(CellTypes(), Direct(), Budget()),
}
