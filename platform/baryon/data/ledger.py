"""The sample ledger: which samples each step of a run takes.

They follow from (seed, epoch, position in the epoch) for all workers together, and from the number
of workers for each of them. So the ledger holds what decides them, not the samples: a resumed run,
on any number of workers, compares it with what it has itself and goes on at the very sample.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from typing import Any

from baryon.data import sampling
from baryon.data.loader import Loader
from baryon.data.sampling import EpochOrder, Rows
from baryon.errors import BaryonError
from baryon.interfaces import DataShard


@dataclass(frozen=True)
class Basis:
    """What decides the order of samples."""

    order: int
    """The version of `data/sampling.py`."""
    seed: int
    batch_size: int
    samples: int
    window: int
    """Chunks that are mixed."""
    chunks: str
    """Hash of where the chunks start."""
    strata: str = ""
    """Hash of every sample's stratum and of `data.stratify`; empty where batches have no strata."""


@dataclass(frozen=True)
class WorkerSpan:
    """Steps, from `first_step` until the next stretch, that the same workers made together."""

    first_step: int
    groups: int
    members: int


class Ledger:
    """The samples of every step of a run, past and to come."""

    def __init__(self, loader: Loader, data: Mapping[str, str]) -> None:
        """`data` are the fingerprints of the dataset's splits; `loader` reads the training's."""
        self._loader = loader
        self._data = dict(data)
        self._orders: dict[int, EpochOrder] = {}
        self.step = 0
        """Steps that were made when the state that was loaded was saved."""
        self.worker_spans: list[WorkerSpan] = []
        self.basis = Basis(
            order=sampling.VERSION,
            seed=loader.loading.seed,
            batch_size=loader.loading.batch_size,
            samples=len(loader.split),
            window=loader.window,
            chunks=hashlib.sha256(loader.bounds.tobytes()).hexdigest()[:16],
            strata=loader.stratification.digest if loader.stratification else "",
        )

    def position(self, step: int) -> tuple[int, int]:
        """Epoch, and batch in it, of the step after `step` others; all count from 0."""
        return divmod(step, self._loader.batches_per_epoch())

    def begin(self, step: int, shard: DataShard) -> None:
        """From this step on the workers are as many as `share` says."""
        kept = [span for span in self.worker_spans if span.first_step < step]
        now = WorkerSpan(step, shard.num_groups, shard.group_size)
        same = kept and astuple(kept[-1])[1:] == astuple(now)[1:]
        self.worker_spans = kept if same else [*kept, now]

    def batch(self, step: int) -> Rows:
        """Row numbers that all workers together take in the step after `step` others."""
        epoch, number = self.position(step)
        return self._order(epoch).batch(number, self.basis.batch_size)

    def parts(self, step: int) -> dict[DataShard, Rows]:
        """The same by worker; one for all where no such step was made yet."""
        epoch, number = self.position(step)
        order, size = self._order(epoch), self.basis.batch_size
        return {shard: order.part(number, size, shard) for shard in self._shares(step)}

    def _shares(self, step: int) -> Sequence[DataShard]:
        there = [span for span in self.worker_spans if span.first_step <= step]
        now = there[-1] if there else WorkerSpan(0, 1, 1)
        return [
            DataShard(group, now.groups, member, now.members)
            for group in range(now.groups)
            for member in range(now.members)
        ]

    def _order(self, epoch: int) -> EpochOrder:
        if epoch not in self._orders:
            self._orders = {epoch: self._loader.order(epoch)}
        return self._orders[epoch]

    def state_dict(self, step: int) -> dict[str, Any]:
        """Plain values that a checkpoint after `step` steps holds."""
        worker_spans = [list(astuple(span)) for span in self.worker_spans]
        return {
            "step": step,
            "basis": asdict(self.basis),
            "data": self._data,
            "workers": worker_spans,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint's. Raises `BaryonError` if the samples would not be the same."""
        self._require_same_data(state["data"])
        mine = asdict(self.basis)
        # Checkpoints from before there were strata have no such entry: their batches had none.
        saved = {"strata": "", **state["basis"]}
        for key, then in saved.items():
            if mine.get(key) != then:
                raise BaryonError(
                    f"the checkpoint's order of samples cannot be gone on with: {key} was "
                    f"{then or 'none'}, now it is {mine.get(key) or 'none'}; resume with the "
                    "config, the data and the version of Baryon that it was started with, or start "
                    "a new run"
                )
        self.step = state["step"]
        self.worker_spans = [WorkerSpan(*numbers) for numbers in state["workers"]]

    def _require_same_data(self, then: Mapping[str, str]) -> None:
        for split in sorted(then.keys() | self._data.keys()):
            if then.get(split) != self._data.get(split):
                raise BaryonError(
                    f"dataset.{split} changed since the checkpoint (its fingerprint, of names, "
                    f"sizes and times of change, was {then.get(split)}, now it is "
                    f"{self._data.get(split)}): put the old files back, or start a new run"
                )
