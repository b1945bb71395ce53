"""The verdict rule: from one number a seed to supported, not supported or inconclusive, with no hand in between."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from evodev.statistics import equivalent, holm, paired

Sign = Literal["+", "-", "0"]
Word = Literal["supported", "not supported", "inconclusive"]
LEVEL = 0.05
"""Two-sided probability, over all deciding contrasts of a claim together, of calling chance an effect, and of calling an effect
that reaches its margin too small."""
FEWEST = 6
"""Seeds below which no two-sided sign-flip test can be significant: 2 / 2^n > 5%."""


class Judgement(NamedTuple):
    """What the seeds say of one contrast.

    Attributes:
        value: mean effect over seeds.
        lo, hi: its 95% bootstrap interval over seeds.
        p: of the sign-flip test (exact up to 13 seeds); for an expected 0, of two one-sided tests of equivalence. Corrected
            for how many contrasts decide together.
        word: the verdict.
    """

    value: float
    lo: float
    hi: float
    p: float
    word: Word


def judge(effects: Sequence[Sequence[float]], expected: Sequence[Sign], margins: Sequence[float]) -> list[Judgement]:
    """Contrasts that decide together, each judged by the rule, p corrected for their number (Holm 1979).

    With an expected sign: *supported* where the effect has it, significantly, and its mean is no smaller than the margin; *not
    supported* where it is significantly below the margin: of the other sign, or too small to matter. With an expected 0:
    *supported* where the effect lies significantly within the margin (equivalence), *not supported* where it is significantly
    beyond it. Else, and with fewer than ``FEWEST`` seeds or a seed without a finite effect, *inconclusive*.

    Args:
        effects: (contrasts, seeds), paired within a seed.
        expected: sign of each.
        margins: the smallest effect of each that would matter, above 0.

    Raises:
        ValueError: for a margin that is not positive.
    """
    if any(margin <= 0 for margin in margins):
        raise ValueError(f"contrast: a margin must be positive, given {min(margins)}")
    found, for_it, against_it = [], [], []
    for own, sign, margin in zip(effects, expected, margins, strict=True):
        values = np.asarray(own, np.float64)
        if len(values) < 2 or not np.isfinite(values).all():
            found.append((float("nan"),) * 3)
            for_it.append(1.0)
            against_it.append(1.0)
            continue
        effect = paired(values, np.zeros_like(values))
        found.append(effect[:3])
        for_it.append(equivalent(values, np.zeros_like(values), margin) if sign == "0" else effect.p)
        along = {"+": 1.0, "-": -1.0, "0": float(np.sign(effect.value))}[sign] * values
        short = paired(along, np.full_like(along, margin))
        against_it.append(short.p if (short.value > 0) == (sign == "0") else 1.0)
    ps = zip(holm(for_it), holm(against_it), strict=True)
    return [
        Judgement(value, lo, hi, p, _word(len(own), value, p, q, sign, margin))
        for own, (value, lo, hi), (p, q), sign, margin in zip(effects, found, ps, expected, margins, strict=True)
    ]


def _word(seeds: int, value: float, p: float, q: float, sign: Sign, margin: float) -> Word:
    """The rule for one contrast; ``p`` of what is expected, ``q`` of what speaks against it."""
    if seeds < FEWEST or not np.isfinite(value):
        return "inconclusive"
    if p <= LEVEL and (sign == "0" or (value if sign == "+" else -value) >= margin):
        return "supported"
    return "not supported" if q <= LEVEL else "inconclusive"


def together(words: Sequence[Word]) -> Word:
    """The claim's verdict: supported where every deciding contrast is, not supported where any is not."""
    if "not supported" in words:
        return "not supported"
    return "supported" if words and set(words) == {"supported"} else "inconclusive"
