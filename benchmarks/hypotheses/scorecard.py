"""The scorecard: a line a claim, in HTML with its figure and in Markdown, from the result files alone.

python -m benchmarks.hypotheses.scorecard
"""

import base64
import io
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS, read_result
from benchmarks.hypotheses import CLAIMS, UNTESTABLE
from benchmarks.hypotheses.frame import shown

PAGE = RESULTS / "hypotheses" / "scorecard.html"
TEMPLATE = Path(__file__).with_name("scorecard.html.jinja")
RULE = (
    "A verdict follows by rule from the effects of the outer seeds, by signs and margins written down before the run "
    "(expected ≥ +.1: positive, and .1 or more). Supported: every deciding effect is significant with the expected sign "
    "(two-sided sign-flip test over outer seeds, exact up to 13 seeds, 5%, Holm over the claim's deciding contrasts) and its "
    "mean is at least the margin; an expected 0 needs an effect significantly within ± its margin (equivalence). Not supported: "
    "one has a mean significantly below its margin, of the other sign or too small to matter, by the same test; for an expected "
    "0, significantly beyond it. Else inconclusive. What is controlled at 5% a claim is the sign of what is supported and the "
    "shortfall of what is not, not that a supported effect truly reaches its margin; over so many claims one or two may be "
    "chance."
)
"""How to read the verdicts; see :mod:`benchmarks.hypotheses.verdict`."""
WIDTH = 1200
"""Pixels across a figure in the page."""
COLOURS = {"supported": "#1b7f3b", "not supported": "#b3261e", "inconclusive": "#7a6a00"}


def entries() -> list[dict[str, Any]]:
    """Every claim's result, the full one if there is one, else the quick one, else nothing but its name."""
    out = []
    for number, name in enumerate(CLAIMS, 1):
        full, quick = read_result("hypotheses", name), read_result("hypotheses/quick", name)
        out.append({"number": number, "name": name, "result": full or quick, "full": full is not None, "quick": quick})
    return out


def expected(contrast: dict[str, Any]) -> str:
    """What was written down of a contrast before the run: its sign and margin, short enough for a cell."""
    if contrast["expected"] == "0":
        return f"0 ± {contrast['margin']:g}"
    return f"{'≥ +' if contrast['expected'] == '+' else '≤ -'}{contrast['margin']:g}"


def effects(result: dict[str, Any]) -> list[str]:
    """The deciding contrasts in words: effect, interval, sign and margin expected, verdict."""
    lines = []
    for row, contrast in zip(result["rows"], result["claim"]["contrasts"], strict=True):
        if contrast["decides"]:
            word = {True: "supported", False: "not supported", None: "inconclusive"}[row["met"]]
            lines.append(f"{row['label']}: {shown(row)}, expected {expected(contrast)} ({word})")
    return lines


def agreement(entry: dict[str, Any]) -> str:
    """Whether the quick run's deciding effects have the signs of the full one's."""
    if not (entry["full"] and entry["quick"]):
        return ""
    pairs = zip(entry["result"]["rows"], entry["quick"]["rows"], entry["result"]["claim"]["contrasts"], strict=True)
    signs = [(a["measured"], b["measured"]) for a, b, c in pairs if c["decides"] and c["expected"] != "0"]
    same = [(one > 0) == (other > 0) for one, other in signs if None not in (one, other)]
    return f"signs agree in {sum(same)} of {len(same)}" if same else ""


def markdown() -> str:
    """The scorecard as a table for RESULTS.md."""
    lines = [
        "### scorecard",
        "",
        f"`evodev experiment --all` · {RULE}",
        "",
        "| # | claim | verdict | deciding effects [95%] | seeds | quick run | command |",
        "|---|---|---|---|---|---|---|",
    ]
    for entry in entries():
        result = entry["result"]
        if result is None:
            lines.append(f"| {entry['number']} | {entry['name']} | not run | | | | |")
            continue
        claim = result["claim"]
        verdict = f"**{claim['verdict']}**" if entry["full"] else f"{claim['verdict']} (quick)"
        cells = [
            entry["number"], claim["hypothesis"], verdict, "; ".join(effects(result)), result["seeds"], agreement(entry),
            f"`{result['command']}`",
        ]  # fmt: skip
        lines.append("| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |")
    lines += ["", "Not testable here:", ""]
    lines += [f'- "{words}": {why}' for words, why in UNTESTABLE.items()]
    return "\n".join(lines)


def thumbnail(entry: dict[str, Any]) -> str:
    """A claim's figure as a data URI, small enough to have them all in one page; empty without one."""
    from PIL import Image

    path = RESULTS / "hypotheses" / ("" if entry["full"] else "quick") / f"{entry['name']}.png"
    if not path.exists():
        return ""
    with Image.open(path) as image:
        image.thumbnail((WIDTH, 2 * WIDTH))
        buffer = io.BytesIO()
        image.convert("RGB").save(buffer, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def page() -> str:
    """The scorecard as one self-contained HTML page; all text from files is escaped."""
    from jinja2 import Environment, StrictUndefined

    cards = []
    for entry in entries():
        if entry["result"] is not None:
            claim = entry["result"]["claim"]
            cards.append(entry | {
                "claim": claim, "effects": effects(entry["result"]), "agreement": agreement(entry), "picture": thumbnail(entry),
                "colour": COLOURS[claim["verdict"]],
            })  # fmt: skip
    missing = [entry["name"] for entry in entries() if entry["result"] is None]
    counts = {word: sum(c["full"] and c["claim"]["verdict"] == word for c in cards) for word in COLOURS}
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(TEMPLATE.read_text()).render(
        cards=cards, missing=missing, untestable=UNTESTABLE, counts=counts, colours=COLOURS, rule=RULE
    )


def write() -> Path:
    """Write the HTML page; the Markdown is part of RESULTS.md (``python -m benchmarks.render``)."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
    return PAGE


if __name__ == "__main__":
    print(write())
