"""The organism: a decoder and a learner on one substrate; its genome is both their genes."""

from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp

from evodev.decoders import Decoder
from evodev.forms import FormName, choose_forms, lay
from evodev.genome import GenomeSpec, branch
from evodev.learners import Learner
from evodev.network import Network
from evodev.substrate import Substrate
from evodev.tasks import Task
from evodev.types import Array, Genes, Genome, Key


class Grower(Protocol):
    """What an organism asks of a decoder; baselines without development answer to it too."""

    @property
    def stochastic(self) -> bool:
        """Whether the key changes the network; then every life grows its own."""
        ...

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        """The genes of growth."""
        ...

    def grow(self, genome: Genome, substrate: Substrate, *, key: Key, shared: bool = False) -> Network:
        """Genome -> network; ``shared`` allows weights in a shared form."""
        ...


@dataclass(frozen=True)
class Organism:
    """Everything that a genome means: where it grows, how, and how the grown network learns.

    Attributes:
        substrate: where it grows.
        decoder: how.
        learner: how the grown network learns.
        form: of the weights in life; see :func:`evodev.forms.choose_forms`.
        batch: examples that pass the network together, by which ``auto`` chooses a form.

    Raises:
        ValueError: if the learner or the decoder cannot serve the substrate.
    """

    substrate: Substrate
    decoder: Grower
    learner: Learner
    form: FormName = "dense"
    batch: int = 1

    @property
    def genome_spec(self) -> GenomeSpec:
        """Genes named ``decoder/...`` and ``learner/...``."""
        return GenomeSpec.join(
            {
                "decoder": self.decoder.genome_spec(self.substrate),
                "learner": self.learner.genome_spec(self.substrate),
            }
        )

    def split(self, genome: Genome) -> tuple[Array, Genes]:
        """Genome -> the decoder's own genome, and the learner's genes by name."""
        size = self.decoder.genome_spec(self.substrate).size
        return genome[:size], branch(self.genome_spec.unpack(genome), "learner")

    def develop(self, genome: Genome, *, key: Key) -> tuple[Network, Genes]:
        """Genome -> the network at birth, every projection a matrix, and the learner's genes."""
        own, genes = self.split(genome)
        return self.decoder.grow(own, self.substrate, key=key), genes

    def hatch(self, genome: Genome, /, *, key: Key) -> tuple[Network, Genes]:
        """:meth:`develop`, with weights in whatever form this learner lives fastest with."""
        own, genes = self.split(genome)
        network = self.decoder.grow(own, self.substrate, key=key, shared=self.learner.frozen)
        if not isinstance(self.decoder, Decoder):
            return network, genes
        forms = choose_forms(self.form, self.decoder, self.learner, self.substrate, batch=self.batch)
        return lay(network, forms, self.decoder.wiring.windows(self.substrate)), genes


def misfit(substrate: Substrate, learner: Learner, task: Task) -> str:
    """Which end of a substrate does not fit what the task shows through the learner or asks for; empty if both do."""
    sensed = learner.senses(task.inputs, task.outputs, task.offers)
    ends = {"input": (substrate.input, sensed, task.inputs), "output": (substrate.output, task.outputs, task.outputs)}
    for end, (population, needed, own) in ends.items():
        if population.size != needed:
            extra = f" and the learner shows it the last target on {needed - own} more" if needed != own else ""
            return (
                f"the {end} population {population.name!r} has {population.size} neurons, the task has {own} {end}s{extra}; "
                "change its grid or the task"
            )
    return ""


def shuffle_genes(spec: GenomeSpec, genome: Genome, *, key: Key) -> Genome:
    """A control: the numbers of each gene in random order, gene by gene (single numbers stay)."""
    parts = [jax.random.permutation(jax.random.fold_in(key, i), genome[where]) for i, where in enumerate(spec.slices.values())]
    return jnp.concatenate(parts) if parts else genome
