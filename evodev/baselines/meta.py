"""Gradient meta-learning: weights at birth that are learned by gradient through whole lives, at no more lives than the champion.

The family: MAML and its first-order form (Finn et al. 2017, arXiv 1703.03400), Reptile (Nichol et al. 2018, arXiv
1803.02999), ANIL (Raghu et al. 2020, arXiv 1909.09157), Meta-SGD (Li et al. 2017, arXiv 1707.09835), and multi-task
pretraining, which is told nothing of the life to come.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from evodev.baselines.base import Arm, Baseline, Report, Setting, arm_of
from evodev.chunks import choose_chunk
from evodev.compress import walk
from evodev.evaluation import Develop, live_subjects, sample_lives
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.learners import Gradient
from evodev.lifetime import live, probe_steps
from evodev.network import Network
from evodev.organism import Organism
from evodev.substrate import Substrate, mlp
from evodev.tasks import Acting, Life, Task
from evodev.types import Array, Float, Genome, Inputs, Key, Scalar, Targets

Method = Literal["maml", "first-order maml", "reptile", "anil", "meta-sgd", "pretraining"]
GAIN_SCALE = 10.0
"""Gains of Meta-SGD are learned this many times faster than weights: Adam's .001 then moves a rate of .01 by 1% a step."""


@dataclass(frozen=True)
class Initialisation:
    """Grows nothing: the genome is the weights and biases at birth, blank slates too, in natural units; all dense.

    Attributes:
        gains: also a gain a synapse, by which its rate is multiplied; 1 in a genome of zeros, and it may be negative.
    """

    gains: bool = False

    @property
    def stochastic(self) -> bool:
        return False

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        genes = [Gene(f"{p.name}/weight", substrate.shape(p)) for p in substrate.projections]
        genes += [Gene(f"{p.name}/bias", (p.size,)) for p in substrate.populations[1:]]
        if self.gains:
            genes += [Gene(f"{p.name}/gain", substrate.shape(p), 1.0, GAIN_SCALE) for p in substrate.projections]
        return spec_of(genes)

    def grow(self, genome: Genome, substrate: Substrate, *, key: Key, shared: bool = False) -> Network:
        genes = self.genome_spec(substrate).unpack(genome)
        names = [p.name for p in substrate.projections]
        weights = {name: genes[f"{name}/weight"] for name in names}
        biases = {p.name: genes.get(f"{p.name}/bias", jnp.zeros(p.size)) for p in substrate.populations}
        return Network(
            weights=weights,
            masks={name: jnp.ones_like(w) for name, w in weights.items()},
            gains={name: genes[f"{name}/gain"] for name in names} if self.gains else {},
            biases=biases,
            alive={name: jnp.ones_like(b) for name, b in biases.items()},
        )


@dataclass(frozen=True)
class Inner(Gradient):
    """The gradient learner as meta-learning has it.

    Attributes:
        first_order: what a step changes counts as a constant when a life is differentiated.
        head_only: only what feeds the outputs, and their biases, changes in life.
    """

    first_order: bool = False
    head_only: bool = False

    def gradient(self, network: Network, inputs: Inputs, targets: Targets, substrate: Substrate) -> dict[str, Any]:
        slope = super().gradient(network, inputs, targets, substrate)
        if self.head_only:
            head = {p.name for p in substrate.into(substrate.output.name)} | {substrate.output.name}
            slope = {
                part: {n: x if n in head else jnp.zeros_like(x) for n, x in entries.items()} for part, entries in slope.items()
            }
        return jax.lax.stop_gradient(slope) if self.first_order else slope


class Progress(NamedTuple):
    """Meta-training so far: the genome, the optimiser's memory, and the outer steps made."""

    genome: Genome
    memory: Any
    step: Scalar


@dataclass(frozen=True)
class MetaLearning:
    """How an initialisation is learned: Adam on the loss of lives on the train family, a fresh batch of lives each step.

    Attributes:
        method: which of the family. ``maml`` differentiates the whole life, ``first-order maml`` takes its updates for
            constants, ``anil`` lets only the head change in life, ``meta-sgd`` also learns a rate a synapse (and one a
            population for biases), ``reptile`` moves to where lives end, ``pretraining`` minimises the loss at birth.
        objective: ``mean`` of the loss over a life's probes after birth, or the loss at its ``end``, as published.
        rate: of the outer Adam.
        lives: in each outer step.
        spread: standard deviation of the weights that training starts from; None for that of He et al. 2015.
        whole: what the learner owns is learned too, as Meta-SGD's rates always are.
        clip: norm to which a gradient is shortened; none if None.
    """

    method: Method = "maml"
    objective: Literal["mean", "end"] = "mean"
    rate: float = 0.001
    lives: int = 8
    spread: float | None = None
    whole: bool = False
    clip: float | None = None

    def organism(self, substrate: Substrate, task: Task) -> Organism:
        """Every weight a gene, and plain gradient descent in life."""
        loss = "cross_entropy" if task.problem == "classification" else "squared_error"
        first_order, head_only = self.method in ("first-order maml", "reptile"), self.method == "anil"
        learner = Inner(loss=loss, heads=task.heads, first_order=first_order, head_only=head_only)
        return Organism(substrate, Initialisation(gains=self.method == "meta-sgd"), learner)

    def start(self, organism: Organism, inner_rate: float, *, key: Key) -> Progress:
        """Gaussian weights, no biases, and one rate for all."""
        spec, values = organism.genome_spec, {}
        for i, gene in enumerate(spec.genes):
            values[gene.name] = jnp.full(gene.shape, gene.center)
            if gene.name.endswith("/weight"):
                drawn = jax.random.normal(jax.random.fold_in(key, i), gene.shape)
                values[gene.name] = ((2 / gene.shape[0]) ** 0.5 if self.spread is None else self.spread) * drawn
            elif gene.name.endswith("/log_rate"):
                values[gene.name] = jnp.full(gene.shape, np.log(inner_rate))
        genome = spec.pack(values)
        return Progress(genome, self.optimiser.init(genome), jnp.zeros((), jnp.int32))

    @property
    def optimiser(self) -> optax.GradientTransformation:
        """Adam, and no step where a batch of lives diverged."""
        clip = [] if self.clip is None else [optax.clip_by_global_norm(self.clip)]
        return optax.chain(optax.zero_nans(), *clip, optax.adam(self.rate))

    def loss(self, organism: Organism, task: Task, schedule: tuple[int, ...], genome: Genome, life: Life, *, key: Key) -> Scalar:
        """What is descended, of one life; of Reptile only its gradient means anything."""
        network, genes = organism.hatch(genome, key=key)
        if self.method == "pretraining":
            return self._unlearned(organism, network, genes, task, life, key=key)
        if self.method == "reptile":
            return self._distance(organism, network, genes, life, key=key)
        seen = schedule if self.objective == "mean" else (0, task.steps)
        return live(organism.learner, genes, network, organism.substrate, task, life, seen, key=key).loss[1:].mean()

    def _unlearned(self, organism: Organism, network: Network, genes: Any, task: Task, life: Life, *, key: Key) -> Scalar:
        """Loss at birth on every sample of a life."""
        learner, substrate = organism.learner, organism.substrate
        inputs = jnp.concatenate([x.reshape(-1, substrate.input.size) for x in (life.inputs, life.probe_inputs)])
        targets = jnp.concatenate([life.targets.reshape(-1, *life.targets.shape[2:]), life.probe_targets])
        return task.loss(learner.predict(genes, learner.init(genes, network, substrate, key=key), inputs, substrate), targets)

    def _distance(self, organism: Organism, network: Network, genes: Any, life: Life, *, key: Key) -> Scalar:
        """Something whose gradient in the weights at birth is birth less end of a life."""
        learner, substrate = organism.learner, organism.substrate

        def step(state: Any, batch: tuple[Array, Array]) -> tuple[Any, None]:
            return learner.step(genes, state, batch[0].reshape(len(batch[0]), -1), batch[1], substrate, key=key), None

        end, _ = jax.lax.scan(step, learner.init(genes, network, substrate, key=key), (life.inputs, life.targets))
        born, last = ({"weights": n.weights, "biases": n.biases} for n in (network, end.network))
        pulls = jax.tree.map(lambda a, b: (a * jax.lax.stop_gradient(a - b)).sum(), born, last)
        return jnp.stack(jax.tree.leaves(pulls)).sum()

    @partial(jax.jit, static_argnums=(0, 1, 2, 3, 5))
    def advance(
        self, organism: Organism, task: Task, schedule: tuple[int, ...], progress: Progress, steps: int, key: Key
    ) -> tuple[Progress, Float[Array, " steps"]]:
        """So many outer steps more, and the loss before each; keys belong to steps, however they are grouped.

        Args:
            organism: :meth:`organism`'s.
            task: of the training lives.
            schedule: :func:`evodev.lifetime.probe_steps` of it.
            progress: from :meth:`start`, or from here.
            steps: how many.
            key: root of the keys of all steps.
        """
        # rates are what the task gives, except where they are what is learned
        names = [g.name for g in organism.genome_spec.genes for _ in range(g.size)]
        learned = np.array([self.whole or self.method == "meta-sgd" or not n.startswith("learner/") for n in names])

        def batch_loss(genome: Genome, step: Array, *, key: Key) -> Scalar:
            genome = jnp.where(learned, genome, jax.lax.stop_gradient(genome))
            key_lives, key_live = jax.random.split(key)
            lives = sample_lives(task, "train", self.lives, key=key_lives)
            return jax.vmap(lambda life: self.loss(organism, task, schedule, genome, life, key=key_live))(lives).mean()

        numbers = progress.step + jnp.arange(steps)
        keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(numbers)
        genome, memory, history = walk(batch_loss, progress.genome, progress.memory, self.optimiser, (numbers, keys))
        return Progress(genome, memory, progress.step + steps), history


class Plan(NamedTuple):
    """One way to meta-train: how it is called, how it goes, whom, and from where."""

    label: str
    meta: MetaLearning
    organism: Organism
    begun: Progress


class Look(NamedTuple):
    """What validation said of a moment of a plan, and the lives spent on getting there since the last one."""

    fitness: float
    plan: Plan
    genome: Genome
    step: int
    lives: int


@dataclass(frozen=True)
class MetaLearned(Baseline):
    """Weights at birth learned by gradient through lives, dense, on the champion's substrate or on a narrow perceptron.

    Each inner rate may spend an equal share of the lives that the champion's search spent, and stops on a plateau of the
    validation fitness; the moment and the rate that are best there are the arm. Where a task has training classes to spare
    (``Task.folded``), validation is of classes held out of training, and the arm is then trained on all of them, from the
    start, for the number of steps that was best; that too is within the lives of the champion's search.

    Attributes:
        method: see :class:`MetaLearning`.
        rates: of plain gradient descent in life.
        block: outer steps between two looks at validation.
        patience: looks without a gain of 1% before stopping.
        validation: lives of a look.
        hidden: sizes of the hidden layers of a perceptron in place of the champion's substrate; None for the latter.
    """

    method: Method = "maml"
    rates: tuple[float, ...] = (0.03, 0.1, 0.3)
    block: int = 100
    patience: int = 4
    validation: int = 64
    hidden: tuple[int, ...] | None = None
    routine: ClassVar[bool] = False

    def applies(self, setting: Setting) -> bool:
        return not isinstance(setting.task, Acting) and not setting.organism.substrate.modular

    def plans(self, setting: Setting, *, key: Key) -> list[Plan]:
        """What validation chooses from."""
        meta, task = MetaLearning(self.method), setting.task
        narrow = None if self.hidden is None else mlp((task.inputs, *self.hidden, task.outputs))
        organism = meta.organism(narrow or setting.organism.substrate, task)
        return [Plan(f"rate {rate:g}", meta, organism, meta.start(organism, rate, key=key)) for rate in self.rates]

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        best, genome, lives = self.trained(name, setting, key=key, say=say)
        plan, organism = best.plan, best.plan.organism
        fold = " on held-out training classes, then trained on all" if setting.task.folded() != setting.task else ""
        note = f"Adam through lives; {best.step} steps of {plan.meta.lives} and {plan.label} by validation{fold}"
        return arm_of(name, organism, genome, role=self.role, evolved=True, lives=lives, note=note)

    def trained(self, name: str, setting: Setting, *, key: Key, say: Report) -> tuple[Look, Genome, int]:
        """The best look, the genome trained by it, and the lives spent in all."""
        task, fold = setting.task, setting.task.folded()
        key_start, key_train, key_lives, key_look = jax.random.split(key, 4)
        plans = self.plans(setting, key=key_start)
        share = setting.budget // (len(plans) + (fold != task))
        looking = replace(setting, task=fold)
        keys = key_train, key_lives, key_look
        looks = [look for plan in plans for look in self._train(name, plan, looking, share, keys, say=say)]
        best = max(looks, key=lambda look: look.fitness)
        genome, spent = best.genome, sum(look.lives for look in looks)
        if fold != task:
            plan, progress = best.plan, best.plan.begun
            schedule = probe_steps(task.steps, setting.schedule.probes)
            for _ in range(best.step // self.block):
                progress, _ = plan.meta.advance(plan.organism, task, schedule, progress, self.block, key_train)
            genome, spent = progress.genome, spent + best.step * plan.meta.lives
            say(f"{name}: {plan.label}, {best.step} steps on all training classes")
        return best, genome, spent

    def _train(
        self, name: str, plan: Plan, setting: Setting, budget: int, keys: tuple[Key, Key, Key], *, say: Report
    ) -> Iterator[Look]:
        """Looks at birth and after every block, until a plateau or the end of the budget."""
        task, schedule = setting.task, probe_steps(setting.task.steps, setting.schedule.probes)
        (label, meta, organism, begun), (key_train, key_lives, key_look) = plan, keys
        lives = sample_lives(task, "validation", self.validation, key=key_lives)

        def further(progress: Progress) -> Progress:
            return meta.advance(organism, task, schedule, progress, self.block, key_train)[0]

        def judged(progress: Progress) -> float:
            fitness = fitness_of(setting, organism, organism.hatch, progress.genome, lives, key=key_look)
            say(f"{name}: {label}, step {int(progress.step)}, validation {fitness:.3f}")
            return fitness

        costs = self.block * meta.lives, self.validation
        for fitness, progress, spent in until_plateau(further, judged, begun, costs, budget, self.patience):
            yield Look(fitness, plan, progress.genome, int(progress.step), spent)


def fitness_of(setting: Setting, organism: Organism, develop: Develop, subject: Any, lives: Life, *, key: Key) -> float:
    """Mean fitness of a subject over lives, with the organism's learner on its substrate."""
    schedule = probe_steps(setting.task.steps, setting.schedule.probes)
    log = live_subjects(
        develop, jax.tree.map(lambda x: jnp.asarray(x)[None], subject), organism.learner, organism.substrate, setting.task, lives,
        schedule, key=key, stochastic=organism.decoder.stochastic,
        chunk=choose_chunk(organism, setting.task, subjects=1, lives=len(lives.inputs)),
        ledger=setting.fitness.needs_ledger, online=setting.fitness.needs_online,
    )  # fmt: skip
    return float(setting.fitness(log, schedule).mean())


def until_plateau(
    further: Callable[[Progress], Progress],
    judged: Callable[[Progress], float],
    progress: Progress,
    costs: tuple[int, int],
    budget: int,
    patience: int,
) -> Iterator[tuple[float, Progress, int]]:
    """Validation, training, validation: each judgement, of what, and the lives spent since the last one.

    Args:
        further: trains on by a block.
        judged: mean fitness on validation lives, higher is better.
        progress: where to start.
        costs: lives of a block and of a judgement.
        budget: lives in all.
        patience: judgements without a gain of 1% before it ends.
    """
    best, stale, spent = -np.inf, 0, costs[1]
    while True:
        fitness = judged(progress)
        yield fitness, progress, spent
        stale = 0 if fitness > best + 0.01 * abs(best) or not np.isfinite(best) else stale + 1
        best, budget, spent = max(best, fitness), budget - spent, sum(costs)
        if stale >= patience or budget < spent:
            return
        progress = further(progress)
