"""evodev: search over developmental programs. Genome -> decoder -> network -> lifetime -> fitness -> strategy.

``compare`` sets anyone's networks against baselines on equal lives; ``arm`` makes an arm of a network and a learner.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evodev.comparison import Comparison, arm, compare

__version__ = "0.1.0"
__all__ = ["Comparison", "arm", "compare"]


def __getattr__(name: str) -> Any:
    # jax takes a second to import: whoever wants only the version does not wait for it
    if name in __all__:
        from evodev import comparison

        return getattr(comparison, name)
    raise AttributeError(f"module 'evodev' has no attribute {name!r}")
