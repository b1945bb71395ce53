"""Distillation: a dense teacher's answers, in a random network of the champion's size."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines.base import Arm, Baseline, Report, Setting
from evodev.baselines.masks import same_density
from evodev.baselines.meta import MetaLearned, MetaLearning, Method, Progress, fitness_of, until_plateau
from evodev.baselines.random_networks import distinct, grown_count
from evodev.compress import walk
from evodev.evaluation import sample_lives
from evodev.network import Network
from evodev.organism import Organism
from evodev.tasks import Acting, Life, Task
from evodev.types import Array, Float, Genes, Genome, Key, Scalar

Masks = dict[str, Array]


@dataclass(frozen=True)
class Worn:
    """Develops what an organism does, and keeps of it what is under a mask: a subject is a genome and masks by projection."""

    organism: Organism

    def __call__(self, subject: Any, /, *, key: Key) -> tuple[Network, Genes]:
        genome, masks = subject
        network, genes = self.organism.develop(genome, key=key)
        weights = {name: w * masks[name] if name in masks else w for name, w in network.weights.items()}
        return replace(network, weights=weights, masks=network.masks | masks), genes


def answers(organism: Organism, born: tuple[Network, Genes], life: Life, *, key: Key) -> Float[Array, "steps probes outputs"]:
    """What a network says to the probes of a life after each of its steps."""
    (network, genes), (learner, substrate) = born, (organism.learner, organism.substrate)
    probes = life.probe_inputs.reshape(len(life.probe_inputs), -1)

    def step(state: Any, batch: tuple[Array, Array]) -> tuple[Any, Array]:
        state = learner.step(genes, state, batch[0].reshape(len(batch[0]), -1), batch[1], substrate, key=key)
        return state, learner.predict(genes, state, probes, substrate)

    return jax.lax.scan(step, learner.init(genes, network, substrate, key=key), (life.inputs, life.targets))[1]


def mismatch(problem: str, student: Array, teacher: Array) -> Scalar:
    """Mean divergence of class probabilities from the teacher's, or mean squared difference of values."""
    if problem == "regression":
        return ((student - teacher) ** 2).mean()
    told = jax.nn.softmax(teacher)
    return (told * (jax.nn.log_softmax(teacher) - jax.nn.log_softmax(student))).sum(-1).mean()


@partial(jax.jit, static_argnums=(0, 1, 2, 6))
def advance(
    meta: MetaLearning, organism: Organism, task: Task, teacher: Genome, masks: Masks, progress: Progress, steps: int, key: Key
) -> tuple[Progress, Float[Array, " steps"]]:
    """So many steps of the student more, and the mismatch before each; keys belong to steps, however they are grouped.

    Args:
        meta: the optimiser, and the lives of a step.
        organism: teacher's and student's.
        task: of the lives.
        teacher: its genome.
        masks: of the student's grown projections.
        progress: the student's.
        steps: how many.
        key: root of the keys of all steps.
    """
    learned = np.array([not g.name.startswith("learner/") for g in organism.genome_spec.genes for _ in range(g.size)])

    def loss(genome: Genome, step: Array, *, key: Key) -> Scalar:
        genome = jnp.where(learned, genome, jax.lax.stop_gradient(genome))
        key_lives, key_live = jax.random.split(key)

        def one(life: Life) -> Scalar:
            said = answers(organism, Worn(organism)((genome, masks), key=key_live), life, key=key_live)
            return mismatch(task.problem, said, answers(organism, organism.develop(teacher, key=key_live), life, key=key_live))

        return jax.vmap(one)(sample_lives(task, "train", meta.lives, key=key_lives)).mean()

    numbers = progress.step + jnp.arange(steps)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(numbers)
    genome, memory, history = walk(loss, progress.genome, progress.memory, meta.optimiser, (numbers, keys))
    return Progress(genome, memory, progress.step + steps), history


@dataclass(frozen=True)
class Distilled(Baseline):
    """A dense teacher, meta-trained as :class:`MetaLearned`, and a student on a random mask of the champion's synapse count.

    The student's weights at birth are moved, by gradient through its life, until it answers as the teacher does in the same
    life: to the same probes after each step, soft labels in place of hard ones (Hinton et al. 2015, arXiv 1503.02531). It
    then lives alone. Blank slates are whole, as everywhere. Half of the champion's lives are the teacher's, half the
    student's, where a life that both live counts twice; each stops on a plateau of validation. The teacher has seen all
    training classes, so that the student's validation is the task's own.

    Attributes:
        method: by which the teacher is trained.
        block: outer steps of the student between two looks at validation.
        patience: looks without a gain of 1% before stopping.
        validation: lives of a look.
    """

    method: Method = "maml"
    block: int = 100
    patience: int = 4
    validation: int = 64
    routine: ClassVar[bool] = False

    @property
    def teacher(self) -> MetaLearned:
        """How the teacher is trained."""
        return MetaLearned(self.method, block=self.block, patience=self.patience, validation=self.validation)

    def applies(self, setting: Setting) -> bool:
        supervised = not isinstance(setting.task, Acting) and setting.task.heads == 1
        return supervised and self.teacher.applies(setting) and distinct(setting, "sparse")

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        key_teacher, key_mask, key_start, key_train, key_lives, key_look = jax.random.split(key, 6)
        half = setting.budget // 2
        look, teacher, spent = self.teacher.trained(f"{name}, teacher", replace(setting, budget=half), key=key_teacher, say=say)
        organism, task, meta = look.plan.organism, setting.task, MetaLearning("maml")
        masks = self.masks(setting, key=key_mask)
        begun = self.start(organism, teacher, masks, meta, key=key_start)
        lives = sample_lives(task, "validation", self.validation, key=key_lives)

        def further(progress: Progress) -> Progress:
            return advance(meta, organism, task, teacher, masks, progress, self.block, key_train)[0]

        def judged(progress: Progress) -> float:
            fitness = fitness_of(setting, organism, Worn(organism), (progress.genome, masks), lives, key=key_look)
            say(f"{name}: student, step {int(progress.step)}, validation {fitness:.3f}")
            return fitness

        costs = 2 * self.block * meta.lives, self.validation
        looks = list(until_plateau(further, judged, begun, costs, half, self.patience))
        _, student, _ = max(looks, key=lambda look: look[0])
        steps = f"{look.step} steps of the teacher, {int(student.step)} of the student, {meta.lives} lives each"
        return Arm(
            name=name,
            role=self.role,
            subject=(student.genome, masks),
            develop=Worn(organism),
            learner=organism.learner,
            substrate=organism.substrate,
            stochastic=False,
            genome_size=organism.genome_spec.size,
            tuning_lives=spent + sum(spent for _, _, spent in looks),
            note=f"random mask; {steps}; teacher's {look.plan.label} and both stops on validation",
        )

    def masks(self, setting: Setting, *, key: Key) -> Masks:
        """A random mask of the grown projections, as large as the champion's."""
        substrate, rng = setting.organism.substrate, np.random.default_rng(np.asarray(jax.random.key_data(key)))
        first = np.arange(sum(int(np.prod(substrate.shape(p))) for p in substrate.grown)) < grown_count(setting)
        parts = np.split(first, np.cumsum([int(np.prod(substrate.shape(p))) for p in substrate.grown])[:-1])
        shaped = {p.name: part.reshape(substrate.shape(p)) for p, part in zip(substrate.grown, parts, strict=True)}
        return {name: jnp.asarray(mask) for name, mask in same_density(shaped, rng).items()}

    def start(self, organism: Organism, teacher: Genome, masks: Masks, meta: MetaLearning, *, key: Key) -> Progress:
        """Weights with the variance of He for the synapses that exist, no biases; the teacher's rates."""
        spec = organism.genome_spec
        drawn, kept = spec.unpack(meta.start(organism, 1.0, key=key).genome), spec.unpack(teacher)
        values = {name: kept[name] if name.startswith("learner/") else value for name, value in drawn.items()}
        for name, mask in masks.items():
            values[f"decoder/{name}/weight"] = values[f"decoder/{name}/weight"] / jnp.sqrt(jnp.maximum(mask.mean(), 1e-6))
        genome = spec.pack(values)
        return Progress(genome, meta.optimiser.init(genome), jnp.zeros((), jnp.int32))
