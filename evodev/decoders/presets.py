"""Published systems as compositions of parts; one line here adds one."""

from evodev.decoders.base import Cells, Decoder, Refinement, Sparsity, Wiring
from evodev.decoders.cells.address import BinaryAddress
from evodev.decoders.cells.coordinates import Coordinates
from evodev.decoders.cells.cosine import CosineBasis
from evodev.decoders.cells.gaussians import Gradients, SpatialGaussians
from evodev.decoders.cells.table import ExpressionTable
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.refinement.kaiming import FanInGain
from evodev.decoders.sparsity import AllSynapses, Bernoulli, Budget, FanIn, StraightThrough, Threshold
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.decoders.wiring.cppn import CPPN
from evodev.decoders.wiring.direct import Direct
from evodev.decoders.wiring.pairwise import PairwiseMLP
from evodev.decoders.wiring.relative import RelativePosition

CELLS: dict[str, type[Cells]] = {
    "cell_types": CellTypes,
    "spatial_gaussians": SpatialGaussians,
    "gradients": Gradients,
    "binary_address": BinaryAddress,
    "expression_table": ExpressionTable,
    "cosine_basis": CosineBasis,
    "coordinates": Coordinates,
}

WIRINGS: dict[str, type[Wiring]] = {
    "relative_position": RelativePosition,
    "bilinear": Bilinear,
    "pairwise_mlp": PairwiseMLP,
    "cppn": CPPN,
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
    "fan_in_gain": FanInGain,
}

DECODERS: dict[str, Decoder] = {
    # one kernel a pair of cell types, read over relative position in a local window
    "retinotopic": Decoder(CellTypes(), RelativePosition(), Budget()),
    # Barabasi et al. 2023: an expression table, gene-gene rules shared by all projections; departs in a synapse budget
    "gem": Decoder(ExpressionTable(), Bilinear(shared=True, scaled=True), Budget()),
    # Barabasi et al. 2023: Gaussian expression in space, gene-gene rules
    "spatial_gem": Decoder(SpatialGaussians(), Bilinear(), Budget()),
    # the same rules over Fourier gradients of expression
    "fourier_gem": Decoder(Gradients(), Bilinear(), Budget()),
    # Shuvaev et al. 2024: binary addresses, a small network a projection
    "gnet": Decoder(BinaryAddress(), PairwiseMLP(), Budget()),
    # Stanley et al. 2009, with link expression (Verbancsics & Stanley 2011); departs in a fixed topology and a synapse budget
    "hyperneat": Decoder(Coordinates(), CPPN(channels=("logit",)), Budget()),
    # Koutnik et al. 2010: the lowest coefficients of the weights' cosine transform; departs in a synapse budget
    "dct": Decoder(CosineBasis(), Bilinear(scaled=True), Budget()),
    # the uncompressed control: a gene a synapse
    "direct": Decoder(CellTypes(), Direct(), Budget()),
}
