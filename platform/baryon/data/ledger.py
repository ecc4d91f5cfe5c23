"""Record which samples each step of a run takes: the sample ledger.

They follow from (seed, epoch, position in the epoch) for all workers together, and from the number
of workers for each of them. So the ledger holds what decides them, not the samples: a resumed run,
on any number of workers, compares it with its own and goes on at the very sample.
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
    """Everything that decides the order of samples."""

    order: int
    """`VERSION` of `baryon.data.sampling`."""
    seed: int
    batch_size: int
    samples: int
    window: int
    """Chunks that are mixed with each other."""
    chunks: str
    """Hash of where the chunks start."""
    strata: str = ""
    """Hash of every sample's stratum and of `data.stratify`; empty where batches have no strata."""


@dataclass(frozen=True)
class WorkerSpan:
    """The number of workers that made the steps from `first_step` until the next span."""

    first_step: int
    groups: int
    members: int
    """Workers of each group."""


class Ledger:
    """Tell the samples of every step of a run, past and to come.

    Parameters
    ----------
    loader
        The loader of the training split.
    fingerprints
        Fingerprints of the dataset's splits by name.

    """

    def __init__(self, loader: Loader, fingerprints: Mapping[str, str]) -> None:
        self._loader = loader
        self._fingerprints = dict(fingerprints)
        self._orders: dict[int, EpochOrder] = {}
        self.step = 0
        """Steps that had been made when the loaded state was saved."""
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
        """Return the epoch of a step and the number of its batch in it; all count from 0."""
        return divmod(step, self._loader.batches_per_epoch())

    def begin(self, step: int, shard: DataShard) -> None:
        """Note that from this step on the workers are as many as `shard` says."""
        # Steps from here on that were made before, such as after the checkpoint that a run was
        # resumed from, are made anew.
        earlier = [span for span in self.worker_spans if span.first_step < step]
        current = WorkerSpan(step, shard.num_groups, shard.group_size)
        unchanged = earlier and astuple(earlier[-1])[1:] == astuple(current)[1:]
        self.worker_spans = earlier if unchanged else [*earlier, current]

    def batch(self, step: int) -> Rows:
        """Return the row numbers that all workers together take in a step."""
        epoch, number = self.position(step)
        return self._order(epoch).batch(number, self.basis.batch_size)

    def parts(self, step: int) -> dict[DataShard, Rows]:
        """Return the row numbers of a step by worker; as of one worker if no step was made yet."""
        epoch, number = self.position(step)
        order, size = self._order(epoch), self.basis.batch_size
        return {shard: order.part(number, size, shard) for shard in self._shards(step)}

    def _shards(self, step: int) -> Sequence[DataShard]:
        begun = [span for span in self.worker_spans if span.first_step <= step]
        span = begun[-1] if begun else WorkerSpan(0, 1, 1)
        return [
            DataShard(group, span.groups, member, span.members)
            for group in range(span.groups)
            for member in range(span.members)
        ]

    def _order(self, epoch: int) -> EpochOrder:
        if epoch not in self._orders:  # only one is held: it takes 16 bytes a sample
            self._orders = {epoch: self._loader.order(epoch)}
        return self._orders[epoch]

    def state_dict(self, step: int) -> dict[str, Any]:
        """Return the state for a checkpoint after `step` steps, as plain values."""
        worker_spans = [list(astuple(span)) for span in self.worker_spans]
        return {
            "step": step,
            "basis": asdict(self.basis),
            "data": self._fingerprints,
            "workers": worker_spans,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the state of a checkpoint.

        Raises
        ------
        BaryonError
            If the samples to come would not be those of an uninterrupted run.

        """
        self._require_same_data(state["data"])
        current = asdict(self.basis)
        for key, saved in state["basis"].items():
            if current.get(key) != saved:
                raise BaryonError(
                    f"cannot continue the checkpoint's order of samples: {key} was "
                    f"{saved or 'none'}, now it is {current.get(key) or 'none'}; resume with the "
                    "config, the data and the version of Baryon that it was started with, or start "
                    "a new run"
                )
        self.step = state["step"]
        self.worker_spans = [WorkerSpan(*numbers) for numbers in state["workers"]]

    def _require_same_data(self, saved: Mapping[str, str]) -> None:
        for split in sorted(saved.keys() | self._fingerprints.keys()):
            if saved.get(split) != self._fingerprints.get(split):
                raise BaryonError(
                    f"dataset.{split} changed since the checkpoint (its fingerprint, of names, "
                    f"sizes and times of change, was {saved.get(split)}, now it is "
                    f"{self._fingerprints.get(split)}): put the old files back, or start a new run"
                )
