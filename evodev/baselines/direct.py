"""The champion's strategy without its decoder, and its decoder without a strategy."""

from dataclasses import dataclass, replace
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines.base import Arm, Baseline, Report, Setting, arm_of
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.direct import Direct
from evodev.organism import Organism
from evodev.search import Search
from evodev.substrate import mlp
from evodev.types import Genome, Key, Scalar


def _search(setting: Setting, organism: Organism, *, key: Key) -> Search:
    """The champion's search, of another organism, and no longer than its budget allows."""
    seed = int(jax.random.randint(key, (), 0, 2**31 - 1))

    def of(generations: int) -> Search:
        schedule = replace(setting.schedule, generations=generations)
        return Search(organism, setting.task, setting.strategy, schedule, fitness=setting.fitness, seed=seed)

    search, generations = of(setting.schedule.generations), setting.schedule.generations
    while generations > 1 and search.lives_at(generations) > setting.budget:
        generations -= 1
    return search if generations == setting.schedule.generations else of(generations)


@dataclass(frozen=True)
class EvolvedWeights(Baseline):
    """Every weight a gene, moved by the champion's strategy within its budget of lives; the champion's learner.

    What differs from the champion is the genome alone: its decoder, and with it whatever it takes for granted (windows,
    shared kernels, sparsity), is gone, and all synapses exist. The learner's genes evolve too.

    Attributes:
        hidden: sizes of the hidden layers of a perceptron in place of the champion's substrate; None for the latter.
    """

    hidden: tuple[int, ...] | None = None
    routine: ClassVar[bool] = False

    def organism(self, setting: Setting) -> Organism:
        """The same learner on weights that are genes."""
        own, task = setting.organism, setting.task
        decoder = Decoder(CellTypes(), Direct(own.learner.asks), AllSynapses())
        if self.hidden is None:
            return Organism(own.substrate, decoder, own.learner)
        blank = any(p.blank for p in own.substrate.into(own.substrate.output.name))
        return Organism(mlp((task.inputs, *self.hidden, task.outputs), blank_readout=blank), decoder, own.learner)

    def applies(self, setting: Setting) -> bool:
        organism = self.organism(setting)
        own = setting.organism.substrate
        # a perceptron takes the task's inputs, and knows nothing of a learner's model or further senses
        fits = self.hidden is None or (own.input.size == setting.task.inputs and not own.modular)
        try:
            weights = organism.genome_spec.size
        except ValueError:  # the learner cannot serve the substrate
            return False
        return weights > 0 and fits and organism != setting.organism

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        organism = self.organism(setting)
        search = _search(setting, organism, key=key)
        state = search.start()
        while int(state.generation) < search.schedule.generations:
            state, records = search.advance(state)
            say(f"{name}: generation {records[-1]['generation']}, validation {records[-1]['validation_champion']:.3f}")
        done = int(state.generation)
        note = f"{search.strategy.algorithm} on every weight, {done} generations of {search.population}; best on validation"
        return arm_of(name, organism, state.champion, evolved=True, lives=search.lives_at(done), note=note)


@dataclass(frozen=True)
class RandomGenomes(Baseline):
    """Genomes of the champion's organism drawn as a search draws its first, as many as its budget of lives affords.

    A generation lives the same fresh train lives, as in a search; the best of each block of generations is tried on the
    validation lives, and the best there is the arm.
    """

    routine: ClassVar[bool] = False

    def applies(self, setting: Setting) -> bool:
        return setting.grows

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        organism, schedule, spec = setting.organism, setting.schedule, setting.organism.genome_spec
        search = _search(setting, organism, key=key)

        @jax.jit
        def generation(key: Key) -> tuple[Genome, Scalar]:
            key_genomes, key_lives = jax.random.split(key)
            genomes = jax.vmap(lambda k: spec.init(key=k))(jax.random.split(key_genomes, search.population))
            fitness = search.evaluate(genomes, "train", schedule.lives, key=key_lives)[0].mean(1)
            return genomes[fitness.argmax()], fitness.max()

        @jax.jit
        def validation(genome: Genome) -> Scalar:
            return search.evaluate(genome[None], "validation", schedule.validation_lives, key=key)[0].mean()

        champion, best, lives, tried = jnp.zeros(spec.size), -np.inf, 0, 0
        for begin in range(0, search.schedule.generations, schedule.block):
            numbers = range(begin, min(begin + schedule.block, search.schedule.generations))
            tops = [generation(jax.random.fold_in(key, number)) for number in numbers]
            genome = tops[int(np.argmax([float(fitness) for _, fitness in tops]))][0]
            value = float(validation(genome))
            tried += len(tops) * search.population
            lives += len(tops) * search.population * schedule.lives + schedule.validation_lives
            if value > best:
                champion, best = genome, value
            say(f"{name}: {tried} genomes, validation {best:.3f}")
        note = f"{tried} random genomes, the best of every {schedule.block} generations tried on validation"
        return arm_of(name, organism, champion, evolved=True, lives=lives, note=note)
