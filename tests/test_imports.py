"""Imports go one way: from genome to command line, siblings apart, evosax in one place."""

import ast
from pathlib import Path

import pytest

import evodev

ROOT = Path(evodev.__file__).parent

LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(layer.split())
    for layer in (
        "types",
        "content files memory pytrees statistics strategies",
        "genome heads manifest pareto processes ranking sparse substrate",
        "devices network",
        "compactness",
        "decoders learners tasks",
        "forms levels models onnx",
        "organism",
        "episodes",
        "lifetime",
        "fused",
        "fitness health",
        "chunks",
        "evaluation",
        "search",
        "compress",
        "baselines",
        "fairness ledgers measurement",
        "comparison",
        "across",
        "analysis report",
        "experiment",
        "checkpoints exports presets",
        "runs",
        "workflow arguments",
        "progress rerun tracking",
        "cli",
        "__main__",
    )
)
"""From first to last; what stands in one layer never imports its neighbours there."""

HELPED = {
    ("baselines.controls", "baselines.masks"),
    ("baselines.convolution", "baselines.kernels"),
    ("baselines.dense", "baselines.random_networks"),
    ("baselines.densities", "baselines.random_networks"),
    ("baselines.local", "baselines.random_networks"),
    ("baselines.tuned", "baselines.random_networks"),
    ("baselines.decoded", "baselines.meta"),
    ("baselines.direct", "baselines.random_networks"),
    ("baselines.distilled", "baselines.masks"),
    ("baselines.distilled", "baselines.meta"),
    ("baselines.distilled", "baselines.random_networks"),
    ("baselines.factorial", "baselines.controls"),
    ("baselines.factorial", "baselines.random_networks"),
    ("baselines.logistic", "baselines.neighbours"),
    ("baselines.lottery", "baselines.masks"),
    ("baselines.lottery", "baselines.pruning"),
    ("baselines.moving", "baselines.random_networks"),
    ("baselines.pruning", "baselines.masks"),
    ("baselines.pruning", "baselines.random_networks"),
    ("baselines.references", "baselines.neighbours"),
    ("learners.episodic", "learners.hebbian"),
    ("learners.actor_critic", "learners.gradient"),
    ("learners.rewiring", "learners.gradient"),
    ("learners.structural", "learners.gradient"),
    ("learners.elastic", "learners.gradient"),
    ("learners.critical_period", "learners.rewiring"),
    ("learners.structural", "learners.rewiring"),
    ("learners.gradient", "learners.plasticity"),
    ("learners.gradient", "learners.replay"),
    ("learners.lndp", "learners.graph"),
    ("learners.lndp", "learners.graph_transformer"),
    ("tasks.continual", "tasks.digits"),
    ("tasks.switching", "tasks.teacher"),
}
"""Leaves that borrow a function of a sibling, or wrap it unless told otherwise."""

CONTRACTS = {"baselines.scratch", "tasks.acting", "tasks.supervised"}
"""What leaves build on beside the base of their folder."""

LEAF_FOLDERS = (
    "decoders.cells",
    "decoders.wiring",
    "decoders.sparsity",
    "decoders.refinement",
    "decoders",
    "learners",
    "tasks",
    "baselines",
)


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {path: _name(path) for path in sorted(ROOT.rglob("*.py")) if _name(path)}
MODULES = set(FILES.values())


def _imported(path: Path) -> set[str]:
    """Full names of all that a file imports, wherever in the file."""
    out: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            out |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            out |= {f"{node.module}.{alias.name}" for alias in node.names}
    return out


def _own(path: Path) -> set[str]:
    """Modules of evodev that a file imports."""
    names = {name.removeprefix("evodev.") for name in _imported(path) if name.startswith("evodev.")}
    return {name if name in MODULES else name.rpartition(".")[0] for name in names} - {""}


def _layer(module: str) -> int:
    found = [i for i, layer in enumerate(LAYERS) if module.split(".")[0] in layer]
    assert found, f"{module} has no place in the order of imports; give it one in LAYERS and in the design"
    return found[0]


@pytest.mark.parametrize("path", [pytest.param(path, id=name) for path, name in FILES.items()])
def test_a_module_imports_only_from_earlier_layers(path: Path) -> None:
    module = FILES[path]
    for other in _own(path):
        same_room = other.split(".")[0] == module.split(".")[0]
        assert same_room or _layer(other) < _layer(module), f"{module} imports {other}"


@pytest.mark.parametrize("folder", LEAF_FOLDERS)
def test_leaves_of_a_folder_know_only_its_base(folder: str) -> None:
    shared = (".base", ".presets")
    own = {m for m in MODULES if m.rpartition(".")[0] == folder}
    leaves = {m for m in own if not m.endswith(shared) and m not in (*LEAF_FOLDERS, *CONTRACTS)}
    for path, module in FILES.items():
        if module in leaves:
            room = folder.split(".")[0]
            known = {other for other in _own(path) if other.split(".")[0] == room} - {f"{room}.base", f"{folder}.base"}
            known -= CONTRACTS
            assert not {other for other in known if (module, other) not in HELPED}, f"{module} imports {known}"


def test_only_the_strategies_know_evosax() -> None:
    users = {module for path, module in FILES.items() if any(name.split(".")[0] == "evosax" for name in _imported(path))}
    assert users == {"strategies"}
