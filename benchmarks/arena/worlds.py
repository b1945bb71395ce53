"""Four worlds: task, substrate, learner, synapse budget and number of genes; and the budgets that the arena knows."""

from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

from evodev.fitness import Fitness
from evodev.learners import ActorCritic, Episodic, Gradient, Learner
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.substrate import Population, Projection, Substrate
from evodev.tasks import CartPole, FewShotDigits, Mnist1D, Sine, Task

WORST = 6.0
"""The most that a probe counts, in losses of ignorance."""


@dataclass(frozen=True)
class Budget:
    """What every search may spend, and what it is judged by.

    Attributes:
        population: genomes a generation.
        generations: of every search.
        lives: a genome, each generation.
        validation_lives: on which a champion is chosen, four times in a search.
        test_lives: by which every arm is scored.
        seeds: searches, unless told otherwise.
        width: cell types are multiplied by it, and so are the hidden neurons.
    """

    population: int
    generations: int
    lives: int
    validation_lives: int
    test_lives: int
    seeds: int
    width: int = 1

    @property
    def strategy(self) -> Strategy:
        """The same for every decoder and world."""
        return Strategy(
            "Open_ES", population=self.population, sigma=0.1, sigma_final=0.05, learning_rate=0.1, learning_rate_final=0.02
        )

    @property
    def schedule(self) -> Schedule:
        """The same for every decoder and world."""
        block = -(-self.generations // 4)
        return Schedule(self.generations, self.lives, self.validation_lives, block=block, probes=6)


BUDGETS = {
    "quick": Budget(population=32, generations=120, lives=4, validation_lives=32, test_lives=128, seeds=3),
    "overnight": Budget(population=64, generations=200, lives=4, validation_lives=64, test_lives=256, seeds=10),
    "gpu": Budget(population=512, generations=400, lives=8, validation_lives=128, test_lives=512, seeds=20, width=2),
}


@dataclass(frozen=True)
class World:
    """Where all arms compete.

    Attributes:
        name: as printed.
        task: the distribution over worlds.
        substrate: where every network grows.
        learner: of every decoder.
        fraction: of the possible synapses, blank slates included, that a decoder may use.
        numbers: evolved numbers that a decoder and the learner should have together.
        rates: of plain gradient descent in life among which MAML chooses.
    """

    name: str
    task: Task
    substrate: Substrate
    learner: Learner
    fraction: float
    numbers: int
    rates: tuple[float, ...] = (0.03, 0.1, 0.3)

    @property
    def fitness(self) -> Fitness:
        """What is selected for: a low AULC."""
        return Fitness(worst=-WORST * self.task.ignorant_loss)

    @property
    def possible(self) -> int:
        """Synapses that could be grown."""
        return sum(prod(self.substrate.shape(p)) for p in self.substrate.grown)

    @property
    def grown(self) -> int:
        """Synapses that the budget leaves to be grown once blank slates are paid for."""
        return int(self.fraction * self.substrate.synapses) - (self.substrate.synapses - self.possible)

    @property
    def synapses(self) -> int:
        """Synapses of a network that uses its whole budget, the learner's memory included."""
        return int(self.fraction * self.substrate.synapses) + self.learner.memory(self.substrate)


def chain(*populations: Population, blank: bool) -> Substrate:
    """Populations one after the other; ``blank`` makes what projects to the outputs a blank slate."""
    names = [p.name for p in populations]
    last = names[-1]
    return Substrate(populations, tuple(Projection(a, b, blank=blank and b == last) for a, b in pairwise(names)))


def digits(width: int) -> World:
    """Shifted few-shot digits, classes held out; memory cells for a read-out."""
    substrate = chain(
        Population("input", (10, 10), activation="linear"),
        Population("edges", (4, 4), 4 * width, normalisation="types"),
        Population("parts", (2, 2), 8 * width, normalisation="types"),
        Population("output", (5,), activation="linear"),
        blank=True,
    )
    return World("digits", FewShotDigits(canvas=10, shots=10, probes=4), substrate, Episodic(50), fraction=0.15, numbers=600)


def sine(width: int) -> World:
    """Sines from ten points, ten steps on them; gradient descent."""
    substrate = chain(
        Population("input", (1,), activation="linear"),
        Population("first", (10,), 4 * width, activation="tanh"),
        Population("second", (10,), 4 * width, activation="tanh"),
        Population("output", (1,), activation="linear"),
        blank=False,
    )
    learner = Gradient(loss="squared_error", log_rate=-3.5)
    return World("sine", Sine(10, updates=10, probes=40), substrate, learner, 0.5, numbers=450, rates=(0.003, 0.01, 0.03))


def mnist1d(width: int) -> World:
    """Five of ten one-dimensional digits, signals held out; gradient descent."""
    substrate = chain(
        Population("input", (40,), activation="linear"),
        Population("first", (20,), 4 * width, normalisation="types"),
        Population("second", (10,), 4 * width, normalisation="types"),
        Population("output", (5,), activation="linear"),
        blank=True,
    )
    return World("MNIST-1D", Mnist1D(ways=5, shots=20, probes=8), substrate, Gradient(), fraction=0.15, numbers=690)


def cartpole(width: int) -> World:
    """Three episodes with physics and actions of their own, wilder physics held out; an actor-critic."""
    task = CartPole(horizon=100)
    substrate = chain(
        Population("input", (task.inputs,), activation="linear"),
        Population("hidden", (8,), 4 * width, activation="tanh"),
        Population("output", (task.outputs,), activation="linear"),
        blank=False,
    )
    return World("CartPole", task, substrate, ActorCritic(), fraction=0.5, numbers=245)


MAKERS = {"digits": digits, "sine": sine, "MNIST-1D": mnist1d, "CartPole": cartpole}


def worlds(budget: Budget) -> dict[str, World]:
    """Every world by name, as wide as the budget has it."""
    return {name: make(budget.width) for name, make in MAKERS.items()}


def bare(world: World) -> Substrate:
    """Nothing between inputs and outputs: where the learner works on what is seen."""
    blank = any(p.blank for p in world.substrate.projections)
    first, last = world.substrate.input, world.substrate.output
    return chain(replace(first, name="input"), replace(last, name="output"), blank=blank)
