"""Set up before evodev is imported: checked annotations, four devices, and programs that compile fast."""

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

# nothing here is timed: quick compilation matters, quick programs do not; set XLA_FLAGS to test with other code
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("EVODEV_CACHE", tempfile.mkdtemp(prefix="evodev-cache-"))

import jax
import jaxtyping
import pytest
from hypothesis import settings

import tests.typecheck  # noqa: F401 - found by name below

jaxtyping.install_import_hook("evodev", "tests.typecheck.checked")
jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_disable_most_optimizations", True)
# a program that several tests need is compiled once
jax.config.update("jax_compilation_cache_dir", os.environ["EVODEV_CACHE"])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)

settings.register_profile("evodev", deadline=None, max_examples=30, derandomize=True)
settings.load_profile("evodev")


def pytest_configure(config: pytest.Config) -> None:
    if not config.option.markexpr:
        config.option.markexpr = "not slow"


MAPS = Path("/proc/self/maps")
MOST_MAPS = 20_000


@pytest.fixture(scope="module", autouse=True)
def few_programs() -> Iterator[None]:
    """Compiled programs are let go between files when they are many: each takes pieces of memory of its own, and a process that
    has 65,530 of them, as Linux counts by default, is aborted."""
    yield
    if MAPS.exists() and MAPS.read_text().count("\n") > MOST_MAPS:
        jax.clear_caches()
        gc.collect()


@pytest.fixture
def one_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with a single device."""
    monkeypatch.setattr(jax, "local_device_count", lambda: 1)
