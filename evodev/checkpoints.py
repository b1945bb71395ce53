"""Checkpoints of a search: each whole or not there, the newest few kept, damaged ones passed over."""

import errno
import hashlib
import logging
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors.numpy import load, save

from evodev.experiment import Experiment, from_plain, to_plain, trajectory
from evodev.files import RunError, of_schema, proposed, sealed, unsealed
from evodev.search import SearchState

SCHEMA = 2
"""1 had an array for each leaf of the state, and of the experiment a digest: what it belonged to could not be told."""


class OtherSchema(RunError):
    """A checkpoint that another evodev wrote: not damaged, so that no older one takes its place."""


@dataclass(frozen=True)
class Checkpoints:
    """Where the checkpoints of an experiment's search lie; orbax writes them, a directory a generation.

    Each holds ``state``, all leaves of a :class:`SearchState` as the bytes of one safetensors file, and ``about``: schema
    version, digest of these bytes, and the experiment, sealed.
    """

    folder: Path
    experiment: Experiment

    def _manager(self) -> Any:
        import orbax.checkpoint as ocp

        logging.getLogger("absl").setLevel(logging.CRITICAL)  # what orbax finds broken is said in our own words
        options = ocp.CheckpointManagerOptions(
            max_to_keep=self.experiment.schedule.keep,
            enable_async_checkpointing=False,
            create=False,
            # of many processes the first writes alone, and waits for no other
            multiprocessing_options=ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0}),
        )
        self.folder.mkdir(exist_ok=True)
        # named, or orbax infers from whatever lies in the folder what a checkpoint holds
        return ocp.CheckpointManager(self.folder.resolve(), options=options, item_names=("state", "about"))

    def save(self, state: SearchState) -> None:
        """Write a checkpoint, atomically.

        Raises:
            RunError: if it cannot be written; those before it stay.
        """
        import orbax.checkpoint as ocp

        leaves = jax.tree.leaves(jax.device_get(state))
        data = save({f"{i:04d}": np.asarray(leaf) for i, leaf in enumerate(leaves)})
        about = sealed({"schema_version": SCHEMA, "digest": _digest(data), "experiment": to_plain(self.experiment)})
        written = ocp.args.StandardSave({"leaves": np.frombuffer(data, np.uint8)})
        generation = int(state.generation)
        try:
            with self._manager() as manager:
                # what is not older was passed over as damaged, and would be kept in the place of what is good
                for step in [step for step in manager.all_steps() if step >= generation]:
                    manager.delete(step)
                manager.save(generation, args=ocp.args.Composite(state=written, about=ocp.args.JsonSave(about)), force=True)
        except (OSError, ValueError, RuntimeError) as error:  # tensorstore has its own way of saying that a disk is full
            reason = " ".join(str(error).split())[:200]
            reason = os.strerror(errno.ENOSPC) if "RESOURCE_EXHAUSTED" in reason else reason
            again = proposed("resume", self.folder.parent)
            raise RunError(
                f"checkpoint: cannot write to {self.folder}: {reason}. Earlier ones stay; mend that, then: {again}"
            ) from error

    def restore(self, template: SearchState) -> SearchState | None:
        """The newest checkpoint that is whole, or None if there is none.

        A broken one is passed over with a warning.

        Raises:
            RunError: if there are checkpoints but none can be used, or the newest that is whole is of another schema.
        """
        if not self.folder.is_dir():
            return None
        reasons = []
        with self._manager() as manager:
            steps = sorted(manager.all_steps(), reverse=True)
            for step in steps:
                try:
                    state = self._read(manager, step, template)
                except OtherSchema:
                    raise
                except Exception as error:  # orbax and tensorstore raise many kinds for a damaged file
                    reasons.append(f"{step}: {' '.join(str(error).split())[:160]}")
                    continue
                if reasons:
                    warnings.warn(f"checkpoint {'; '.join(reasons)}. Going on from generation {step}", stacklevel=3)
                return state
        if steps:
            raise RunError(
                f"checkpoint: none of {len(steps)} in {self.folder} can be used ({reasons[0]}); without that directory the "
                "search starts anew"
            )
        return None

    def _read(self, manager: Any, step: int, template: SearchState) -> SearchState:
        import orbax.checkpoint as ocp

        where = self.folder / str(step)
        about = manager.restore(step, args=ocp.args.Composite(about=ocp.args.JsonRestore())).about
        if "schema_version" not in about:
            raise OtherSchema(f"checkpoint: {where} has schema 1; go on with the evodev that wrote it, or search anew")
        about = unsealed(about, where)
        try:
            about = of_schema(about, SCHEMA, where)
        except RunError as error:
            raise OtherSchema(str(error)) from error
        theirs, ours = (trajectory(e) for e in (from_plain(Experiment, about["experiment"], "experiment"), self.experiment))
        if theirs != ours:
            unlike = next(name for name in ours if theirs[name] != ours[name])
            raise RunError(f"it belongs to another experiment than config.yaml describes: they differ in {unlike}")
        data = manager.restore(step, args=ocp.args.Composite(state=ocp.args.StandardRestore())).state["leaves"].tobytes()
        if _digest(data) != about["digest"]:
            raise RunError("its numbers are damaged")
        found, (leaves, structure) = load(data), jax.tree.flatten(template)
        values = [found[name] for name in sorted(found)]
        for value, leaf in zip(values, leaves, strict=True):
            if (value.shape, value.dtype) != (leaf.shape, leaf.dtype):
                raise RunError(
                    "its shapes are of another search: "
                    f"{value.dtype}{list(value.shape)} where {leaf.dtype}{list(leaf.shape)} is needed"
                )
        return jax.tree.unflatten(structure, [jax.numpy.asarray(value) for value in values])


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
