"""Published systems as compositions of parts; one line here adds one."""

from evodev.decoders.base import Cells, Decoder, Refinement, Sparsity, Wiring
from evodev.decoders.cells.address import BinaryAddress
from evodev.decoders.cells.gaussians import Gradients, SpatialGaussians
from evodev.decoders.cells.growth import Growth
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses, Budget, FanIn
from evodev.decoders.wiring.bilinear import Bilinear
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
}

WIRINGS: dict[str, type[Wiring]] = {
    "relative_position": RelativePosition,
    "bilinear": Bilinear,
    "pairwise_mlp": PairwiseMLP,
    "edge_mlp": EdgeMLP,
    "direct": Direct,
}

SPARSITIES: dict[str, type[Sparsity]] = {
    "all": AllSynapses,
    "fan_in": FanIn,
    "budget": Budget,
}

REFINEMENTS: dict[str, type[Refinement]] = {}

DECODERS: dict[str, Decoder] = {
    # one kernel a pair of cell types, read over relative position in a local window
    "retinotopic": Decoder(CellTypes(), RelativePosition(), Budget()),
    # Barabasi et al. 2023: Gaussian expression in space, gene-gene rules
    "spatial_gem": Decoder(SpatialGaussians(), Bilinear(), Budget()),
    # the same rules over Fourier gradients of expression
    "fourier_gem": Decoder(Gradients(), Bilinear(), Budget()),
    # Shuvaev et al. 2024: binary addresses, a small network a projection
    "gnet": Decoder(BinaryAddress(), PairwiseMLP(), Budget()),
    # Najarro et al. 2023: growth from one cell, one network for all synapses; links are not pruned by weight
    "ndp": Decoder(Growth(), EdgeMLP(), AllSynapses()),
    # the uncompressed control: a gene a synapse
    "direct": Decoder(CellTypes(), Direct(), Budget()),
}
