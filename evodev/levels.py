"""How far a life is from those that were selected on: families of the task, and other tasks whose lives have its shapes."""

from dataclasses import dataclass, replace

from evodev.tasks import FewShotDigits, FewShotGlyphs, Sine, Split, Task
from evodev.tasks.classic import Classic


@dataclass(frozen=True)
class Level:
    """Lives at some distance.

    Attributes:
        task: that draws them; of the same shapes as the task that was selected on.
        split: family of it.
        held_out: one phrase: what is new in these lives.
    """

    task: Task
    split: Split
    held_out: str


def levels_of(task: Task) -> dict[str, Level]:
    """Every level by name, the nearest first; the test family itself is what arms are compared on anyway."""
    near = {
        "train": Level(task, "train", "nothing but the draw of each life"),
        "validation": Level(task, "validation", "what the validation family holds out; champions are chosen on it"),
    }
    return near | _beyond(task)


def _beyond(task: Task) -> dict[str, Level]:
    if isinstance(task, FewShotDigits):
        turned = tuple(turn for turn in range(4) if turn not in task.rotations)
        letters = FewShotGlyphs(task.canvas, ways=task.ways, shots=task.shots, probes=task.probes)
        out = {"another family": Level(letters, "test", "letters instead of digits")}
        if (size := min(task.canvas, round(1.25 * task.size))) > task.size:
            larger = replace(task, size=size)
            out = {"another size": Level(larger, "test", f"unseen digits, {size} pixels a side instead of {task.size}")} | out
        if 4 * len(turned) >= task.ways:  # four digits in the test family
            out = {"shifted": Level(replace(task, rotations=turned), "test", "unseen digits, in unseen turns")} | out
        return out
    if isinstance(task, FewShotGlyphs) and task.ways <= 8:
        digits = FewShotDigits(task.canvas, ways=task.ways, shots=task.shots, probes=task.probes)
        return {"another family": Level(digits, "test", "digits instead of letters")}
    if isinstance(task, Sine):
        low, high = task.amplitude
        return {"shifted": Level(replace(task, amplitude=(high, 2 * high - low)), "test", "larger amplitudes than any seen")}
    if isinstance(task, Classic) and "physics" in task.redraw:
        further = replace(task, validation=task.test, test=1.25 * task.test)
        return {"shifted": Level(further, "test", f"physics {task.test:g} to {further.test:g} times as strong or weak")}
    return {}
