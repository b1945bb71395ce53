"""Render benchmarks/RESULTS.md from benchmarks/results/*/*.json: python -m benchmarks.render"""

import json
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS
from benchmarks.hypotheses.frame import SUITE
from benchmarks.hypotheses.scorecard import markdown

PAGE = Path(__file__).parent / "RESULTS.md"
MET = {True: "yes", False: "**no**", None: ""}


def number(value: Any) -> str:
    """A number at three significant digits; text as it is; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool | str):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def measured(row: dict[str, Any]) -> str:
    """The measured value with its interval and unit."""
    if row["measured"] is None:
        return "not measured"
    text = number(row["measured"])
    if row["lo"] is not None and row["hi"] is not None:
        text += f" [{number(row['lo'])}, {number(row['hi'])}]"
    return f"{text} {row['unit'] or ''}".strip()


def section(data: dict[str, Any]) -> str:
    """One result file as a heading, what it took, a table and its figure."""
    made = [f"`{data['command']}`", data["device"], f"commit {data['commit']}", data["date"], f"seeds: {data['seeds']}"]
    lines = [
        f"### {data['name']}",
        "",
        " · ".join([*made, data["budget"]]),
        "",
        "| | measured | reference | target | met | note |",
        "|---|---|---|---|---|---|",
    ]
    for row in data["rows"]:
        reference = f"{number(row['reference'])} ({row['source']})" if row["source"] else number(row["reference"])
        cells = [row["label"], measured(row), reference, number(row["target"]), MET[row["met"]], row["note"] or ""]
        lines.append("| " + " | ".join(str(c).replace("|", "/") for c in cells) + " |")
    if data["figure"]:
        lines += ["", f"![{data['name']}](results/{data['suite']}/{data['figure']})"]
    return "\n".join(lines)


def render() -> str:
    """The whole page."""
    parts = ["# Results", "", "Rendered by `python -m benchmarks.render` from `benchmarks/results/`; not edited by hand."]
    for folder in sorted(p for p in RESULTS.iterdir() if p.is_dir()):
        files = sorted(folder.glob("*.json"))
        results = [json.loads(path.read_text()) for path in files]
        parts += ["", f"## {folder.name}"]
        if folder.name == SUITE:
            parts += ["", markdown()]
        parts += [f"\n{section(r)}" for r in results if "rows" in r]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render())
    print(PAGE)
