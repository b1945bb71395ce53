"""The verdict rule: from one number a seed to supported, not supported or inconclusive, with no hand in between."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from evodev.statistics import equivalent, holm, paired

Sign = Literal["+", "-", "0"]
Word = Literal["supported", "not supported", "inconclusive"]
LEVEL = 0.05
"""Probability of calling chance an effect, over all deciding contrasts of a claim together."""
FEWEST = 6
"""Seeds below which no two-sided sign-flip test can be significant: 2 / 2^n > 5%."""


class Judgement(NamedTuple):
    """What the seeds say of one contrast.

    Attributes:
        value: mean effect over seeds.
        lo, hi: its 95% bootstrap interval over seeds.
        p: of the exact sign-flip test; for an expected 0, of two one-sided tests of equivalence. Corrected for how many
            contrasts decide together.
        word: the verdict.
    """

    value: float
    lo: float
    hi: float
    p: float
    word: Word


def judge(effects: Sequence[Sequence[float]], expected: Sequence[Sign], margins: Sequence[float]) -> list[Judgement]:
    """Contrasts that decide together, each judged by the rule, p corrected for their number (Holm 1979).

    With an expected sign: *supported* where the effect has it, significantly, and is no smaller than the margin; *not supported*
    where it is significantly of the other sign, or where the whole interval lies below the margin, so that whatever effect
    there is does not matter. With an expected 0: *supported* where the effect lies significantly within the margin
    (equivalence), *not supported* where it is significant and beyond the margin. Else, and with fewer than ``FEWEST`` seeds
    or a seed without a finite effect, *inconclusive*.

    Args:
        effects: (contrasts, seeds), paired within a seed.
        expected: sign of each.
        margins: the smallest effect of each that would matter, above 0.

    Raises:
        ValueError: for a margin that is not positive.
    """
    if any(margin <= 0 for margin in margins):
        raise ValueError(f"contrast: a margin must be positive, given {min(margins)}")
    differs, matters = [], []
    for own, sign, margin in zip(effects, expected, margins, strict=True):
        values = np.asarray(own, np.float64)
        known = np.isfinite(values).all() and len(values) >= 2
        result = paired(values, np.zeros_like(values)) if known else (float("nan"),) * 3 + (1.0,)
        differs.append(result)
        matters.append(equivalent(values, np.zeros_like(values), margin) if known and sign == "0" else result[3])
    corrected = holm(matters)
    found = holm([result[3] for result in differs])
    return [
        Judgement(value, lo, hi, p, _word(len(own), value, lo, hi, p, q, sign, margin))
        for own, (value, lo, hi, _), p, q, sign, margin in zip(effects, differs, corrected, found, expected, margins, strict=True)
    ]


def _word(seeds: int, value: float, lo: float, hi: float, p: float, found: float, sign: Sign, margin: float) -> Word:
    """The rule for one contrast; ``p`` of what is expected, ``found`` of any difference at all."""
    if seeds < FEWEST or not np.isfinite(value):
        return "inconclusive"
    if sign == "0":
        if p <= LEVEL:
            return "supported"
        return "not supported" if found <= LEVEL and abs(value) > margin else "inconclusive"
    along, most = (value, hi) if sign == "+" else (-value, -lo)
    if along >= margin and p <= LEVEL:
        return "supported"
    return "not supported" if most < margin or (along < 0 and p <= LEVEL) else "inconclusive"


def together(words: Sequence[Word]) -> Word:
    """The claim's verdict: supported where every deciding contrast is, not supported where any is not."""
    if "not supported" in words:
        return "not supported"
    return "supported" if words and set(words) == {"supported"} else "inconclusive"
