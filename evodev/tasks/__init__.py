"""Tasks: one file a family of worlds, one line here each."""

from evodev.tasks.base import SPLITS, Life, Split, Task
from evodev.tasks.digits import FewShotDigits
from evodev.tasks.glyphs import FewShotGlyphs
from evodev.tasks.sine import Sine

TASKS: dict[str, type[Task]] = {
    "few-shot-digits": FewShotDigits,
    "few-shot-glyphs": FewShotGlyphs,
    "sine": Sine,
}

__all__ = ["SPLITS", "TASKS", "FewShotDigits", "FewShotGlyphs", "Life", "Sine", "Split", "Task"]
