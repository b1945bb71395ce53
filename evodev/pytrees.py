"""Leaves of a pytree by path, and the patterns that choose among them."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import jax

Pattern = str | re.Pattern[str] | Sequence[str | re.Pattern[str]]
"""One path pattern or several. A string is a glob in which ``*`` stops at a ``/`` and ``**`` does not; a compiled regular
expression must match the whole path."""


def path_name(path: tuple[Any, ...]) -> str:
    """A pytree path as ``a/b/c``; the ``value`` inside a flax nnx variable is not part of it."""
    if len(path) > 1 and isinstance(path[-1], jax.tree_util.GetAttrKey) and path[-1].name == "value":
        path = path[:-1]
    return "/".join(str(getattr(k, "key", getattr(k, "name", getattr(k, "idx", k)))) for k in path)


def leaves_of(params: Any) -> dict[str, Any]:
    """Leaves of a parameter pytree by path, layers in the order of their numbers (``layer_2`` before ``layer_10``)."""
    named = ((path_name(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(params))
    return dict(sorted(named, key=lambda item: [int(x) if x.isdigit() else x for x in re.split(r"(\d+)", item[0])]))


def matching(names: Iterable[str], pattern: Pattern, what: str = "path") -> list[str]:
    """Names that match, those of the first pattern first and otherwise in the given order.

    Raises:
        ValueError: if a pattern matches nothing, listing the names.
    """
    names, found = list(names), dict[str, None]()
    for one in [pattern] if isinstance(pattern, str | re.Pattern) else pattern:
        compiled = _glob(one) if isinstance(one, str) else one
        hits = [name for name in names if compiled.fullmatch(name)]
        if not hits:
            raise ValueError(
                f"params: pattern {compiled.pattern if one is compiled else one!r} matches no {what}; {listed(names)}"
            )
        found |= dict.fromkeys(hits)
    return list(found)


def _glob(pattern: str) -> re.Pattern[str]:
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(pieces.get(p, re.escape(p)) for p in re.split(r"(\*\*/|\*\*|\*|\?)", pattern)))


def listed(names: Sequence[str], most: int = 40) -> str:
    """What there is to choose from, for an error message."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"there are {', '.join(names[:most]) or 'none'}{rest}"
