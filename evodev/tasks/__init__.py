"""Tasks: one file a family of worlds, one line here each."""

from evodev.tasks.base import SPLITS, Life, Split, Task
from evodev.tasks.continual import ContinualDigits
from evodev.tasks.digits import FewShotDigits
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
    "continual-digits": ContinualDigits,
    "few-shot-digits": FewShotDigits,
    "few-shot-glyphs": FewShotGlyphs,
    "goals": Goals,
    "laws": Laws,
    "mnist1d": Mnist1D,
    "modality": Modality,
    "parity": SparseParity,
    "sine": Sine,
    "switching": Switching,
    "teacher": Teacher,
}

__all__ = [
    "SPLITS",
    "TASKS",
    "ContinualDigits",
    "FewShotDigits",
    "FewShotGlyphs",
    "Goals",
    "Laws",
    "Life",
    "Mnist1D",
    "Modality",
    "Sine",
    "SparseParity",
    "Split",
    "Switching",
    "Task",
    "Teacher",
]
