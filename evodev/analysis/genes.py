"""Genes taken out, exchanged and doubled: which gene moves which synapses, and which skill."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from evodev.chunks import Chunk
from evodev.evaluation import live_subjects, sample_lives
from evodev.fitness import Fitness
from evodev.genome import GenomeSpec
from evodev.lifetime import probe_steps
from evodev.network import activities, matrix
from evodev.organism import Organism
from evodev.tasks import Task
from evodev.types import Array, Float, Genome, Genomes, Key

EXPRESSED = ("weight", "kernels", "rules")
"""Genes that a projection's weights are proportional to, by the last part of their names (senders first)."""


def swapped(spec: GenomeSpec, genome: Genome, donor: Genome) -> Genomes:
    """A genome a gene, in the order of the spec, in which that gene is the donor's and all others are its own."""
    own = [genome.at[where].set(donor[where]) for where in spec.slices.values()]
    return jnp.stack(own) if own else jnp.zeros((0, genome.size))


def knocked_out(spec: GenomeSpec, genome: Genome) -> Genomes:
    """A genome a gene, in which that gene is 0 in search units: at its centre, as if it had never been selected."""
    return swapped(spec, genome, jnp.zeros_like(genome))


@dataclass(frozen=True)
class GeneMap:
    """What each gene moves.

    Attributes:
        genes: names, the first axis of both tables.
        projections: names of the grown projections.
        skills: names of what was lived.
        synapses: change of each projection's weights, as a share of their own size (genes, projections).
        losses: change of the loss in each skill (genes, skills); positive is harm.
    """

    genes: tuple[str, ...]
    projections: tuple[str, ...]
    skills: tuple[str, ...]
    synapses: np.ndarray
    losses: np.ndarray


def gene_map(
    organism: Organism,
    genome: Genome,
    skills: Mapping[str, Task],
    *,
    donor: Genome | None = None,
    lives: int = 32,
    key: Key,
) -> GeneMap:
    """Which gene moves which synapses and which skill, by taking genes out or, with a donor, by exchanging them.

    Args:
        organism: of the genome.
        genome: that is taken apart.
        skills: tasks or levels by name; AULC on held-out lives (the test family), the same for all genomes.
        donor: whose genes replace the genome's own one at a time; without, they are knocked out.
        lives: of each skill.
        key: of lives and growth.
    """
    spec = organism.genome_spec
    edited = knocked_out(spec, genome) if donor is None else swapped(spec, genome, donor)
    genomes = jnp.concatenate([genome[None], edited])
    losses = np.stack([held_out(organism, genomes, task, lives, key=key) for task in skills.values()], 1)
    grown = tuple(p.name for p in organism.substrate.grown)
    return GeneMap(
        genes=tuple(spec.slices),
        projections=grown,
        skills=tuple(skills),
        synapses=np.asarray(weight_changes(organism, genome, edited, key=key)),
        losses=losses[1:] - losses[0],
    )


def weight_changes(organism: Organism, genome: Genome, edited: Genomes, *, key: Key) -> Float[Array, "population projections"]:
    """Frobenius norm of the change of each grown projection's weights, over that of the weights before."""

    def grown(one: Genome) -> list[Array]:
        network, _ = organism.develop(one, key=key)
        return [matrix(network.weights[p.name]) for p in organism.substrate.grown]

    before = grown(genome)

    def change(one: Genome) -> Array:
        pairs = zip(grown(one), before, strict=True)
        return jnp.stack([jnp.linalg.norm(w - old) / jnp.maximum(jnp.linalg.norm(old), 1e-20) for w, old in pairs])

    return jax.jit(jax.vmap(change))(edited)


def held_out(organism: Organism, genomes: Genomes, task: Task, lives: int, *, key: Key) -> np.ndarray:
    """AULC of every genome (population,), mean over the same lives of the task's test family.

    A life that failed counts as in a search's fitness: as a loss of 100, and none as more.
    """
    key_lives, key_run = jax.random.split(key)
    schedule = probe_steps(task.steps)
    log = live_subjects(
        organism.hatch, genomes, organism.learner, organism.substrate, task,
        sample_lives(task, "test", lives, key=key_lives), schedule,
        key=key_run, stochastic=organism.decoder.stochastic, chunk=Chunk(min(len(genomes), 64), lives),
    )  # fmt: skip
    return np.asarray(-Fitness()(log, schedule).mean(1))


def duplicated(
    organism: Organism, genome: Genome, population: str, index: int, *, share: float = 0.5, key: Key
) -> tuple[Organism, Array]:
    """Gene duplication: a cell type is there twice, its two copies sharing its influence, and the function is as before.

    A population of one type has a neuron doubled, any other a cell type (a neuron at each of its positions). Both copies keep
    the inputs and biases; of the outgoing weights the first keeps a ``share``. What they do together is what one did, until
    mutation tells them apart (Ohno 1970): mutations of the copies add up to other functions than one could have.

    Args:
        organism: of the genome.
        genome: to be made longer.
        population: between inputs and outputs.
        index: of the neuron or cell type.
        share: of the outgoing weights that the first copy keeps.
        key: of growth, and of the inputs on which both functions are compared.

    Returns:
        The organism on the larger substrate, and the longer genome.

    Raises:
        ValueError: for a population or index that cannot be doubled, or a decoder or learner that does not allow it: the
            grown function changes, since sizes in it depend on how many cells there are.
    """
    substrate = organism.substrate
    names = [p.name for p in substrate.populations]
    if population not in names[1:-1]:
        raise ValueError(f"duplicated: population must be between inputs and outputs, one of {names[1:-1]}; given {population!r}")
    old = substrate.population(population)
    if old.types > 1:
        many, new = old.types, replace(old, types=old.types + 1)
    elif len(old.grid) == 1:
        many, new = old.size, replace(old, grid=(old.size + 1,))
    else:
        raise ValueError(f"duplicated: {population} has a grid of {old.grid} and one type; give it two types or one dimension")
    if not 0 <= index < many:
        raise ValueError(f"duplicated: index must be from 0 to {many - 1}, given {index}")
    larger = replace(organism, substrate=replace(substrate, populations=tuple(
        new if p.name == population else p for p in substrate.populations
    )))  # fmt: skip
    # where each neuron or type of the larger population is copied from
    types = np.insert(np.arange(many), index + 1, index)
    neurons = (np.arange(old.size // many)[:, None] * many + types).ravel()
    values, wanted = organism.genome_spec.unpack(genome), {g.name: g.shape for g in larger.genome_spec.genes}
    out = {}
    for name, value in values.items():
        for axis, (size, target) in enumerate(zip(value.shape, wanted.get(name, ()), strict=False)):
            if size != target:
                source = neurons if target == len(neurons) else types
                value = jnp.take(value, source, axis=axis)
                if axis == 0 and f"/{population}->" in name and name.rpartition("/")[2] in EXPRESSED:
                    kept = np.where(source == np.roll(source, -1), share, np.where(source == np.roll(source, 1), 1 - share, 1.0))
                    value = value * kept.reshape(-1, *[1] * (value.ndim - 1))
        out[name] = value
    refusal = (
        f"duplicated: what is grown would not keep its function with more of {population}; choose a wiring whose genes are "
        "weights, kernels or rules of cell types, sparsity all, and no normalisation there"
    )
    try:
        longer = larger.genome_spec.pack(out)
    except ValueError as error:
        raise ValueError(refusal) from error
    inputs = jax.random.normal(key, (32, substrate.input.size))
    answers = [_others(o, g, inputs, population, key=key) for o, g in ((organism, genome), (larger, longer))]
    if not np.allclose(*answers, rtol=1e-3, atol=1e-4):
        raise ValueError(refusal)
    return larger, longer


@partial(jax.jit, static_argnums=(0, 3))
def _others(organism: Organism, genome: Genome, inputs: Array, population: str, *, key: Key) -> Array:
    """Activity of all populations but one, side by side; outputs behind a blank slate say nothing, what feeds them does."""
    network, _ = organism.develop(genome, key=key)
    state = activities(organism.substrate, network, inputs)
    return jnp.concatenate([state[p.name] for p in organism.substrate.populations if p.name != population], axis=1)
