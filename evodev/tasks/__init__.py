"""Tasks: one file a family of worlds, one line here each."""

from evodev.tasks.acting import Acting, World
from evodev.tasks.bandit import Bandit
from evodev.tasks.base import SPLITS, Life, Split, Task
from evodev.tasks.classic import Acrobot, CartPole, MountainCar, Pendulum
from evodev.tasks.continual import ContinualDigits
from evodev.tasks.digits import FewShotDigits
from evodev.tasks.foraging import Foraging
from evodev.tasks.glyphs import FewShotGlyphs
from evodev.tasks.goals import Goals
from evodev.tasks.laws import Laws
from evodev.tasks.mnist1d import Mnist1D
from evodev.tasks.modality import Modality
from evodev.tasks.parity import SparseParity
from evodev.tasks.sine import Sine
from evodev.tasks.switching import Switching
from evodev.tasks.teacher import Teacher

TASKS: dict[str, type[Task]] = {
    "acrobot": Acrobot,
    "bandit": Bandit,
    "cartpole": CartPole,
    "continual-digits": ContinualDigits,
    "few-shot-digits": FewShotDigits,
    "few-shot-glyphs": FewShotGlyphs,
    "foraging": Foraging,
    "goals": Goals,
    "laws": Laws,
    "mnist1d": Mnist1D,
    "modality": Modality,
    "mountain-car": MountainCar,
    "parity": SparseParity,
    "pendulum": Pendulum,
    "sine": Sine,
    "switching": Switching,
    "teacher": Teacher,
}

__all__ = [
    "SPLITS",
    "TASKS",
    "Acrobot",
    "Acting",
    "Bandit",
    "CartPole",
    "ContinualDigits",
    "FewShotDigits",
    "FewShotGlyphs",
    "Foraging",
    "Goals",
    "Laws",
    "Life",
    "Mnist1D",
    "Modality",
    "MountainCar",
    "Pendulum",
    "Sine",
    "SparseParity",
    "Split",
    "Switching",
    "Task",
    "Teacher",
    "World",
]
