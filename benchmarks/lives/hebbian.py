"""Do evolved local rules learn in life, with no gradient?

Part one, few-shot digits: five classes a life, labels redrawn, digits 6-9 never seen by the search. A small version of the
default search's decoder grows the wiring; a local rule changes every synapse in every step of a life. Wiring and rule evolve
together, from a random wiring and a rule whose coefficients are all zero, so that no delta rule is given. Controls take the
champion apart: learning off, coefficients drawn at random, the rule on random wiring, only the outputs plastic.

Expected, written before any run: learning off stays at chance (0.2), as labels are redrawn. Every evolved rule ends far
above that and above random rules (target: 0.2 of accuracy after 20 samples a class, the interval's lower end); the rule that
knows an error ends above the purely Hebbian one, because class sums stop improving; what changes inside the network in life
helps little. The wiring does most of it: the rule on random wiring is far below. The episodic read-out of the default search
(0.91) is not reached.

    python -m benchmarks.lives.hebbian [--seeds N] [--generations N]

Finished searches are kept in benchmarks/lives/.cache: a killed script goes on where it was.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.lives import hebbian_digits as digits
from evodev.cli import prepare_jax

CACHE = Path(__file__).parent / ".cache" / "hebbian"


def kept(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A result from the cache, or made and put there."""
    path = CACHE / f"{name}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(make()))
    return json.loads(path.read_text())


def main() -> None:
    """Measure and write benchmarks/results/lives/hebbian.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="outer seeds (default 5)")
    parser.add_argument("--generations", type=int, default=200, help="of a search on digits (default 200)")
    parser.add_argument("--rules", nargs="*", default=list(digits.RULES), help="search these only, and write no result")
    options = parser.parse_args()
    prepare_jax()
    for seed in range(options.seeds):
        for rule in options.rules:
            name = f"digits-{rule}-{seed}-{options.generations}"
            found = kept(name, lambda rule=rule, seed=seed: digits.one_search(rule, seed, options.generations))
            result = kept(
                f"{name}-test", lambda rule=rule, seed=seed, found=found: digits.one_test(rule, seed, found["champion"])
            )
            print(name, {k: [round(v["accuracy"][i], 2) for i in (1, -1)] for k, v in result["arms"].items()}, flush=True)
        reference = kept(f"digits-reference-{seed}", partial(digits.one_reference, seed))
        print(seed, {k: round(v["accuracy"][-1], 3) for k, v in reference.items()}, flush=True)


if __name__ == "__main__":
    main()
