"""The training loop: forward, loss, backward, the communicator's step; now and then the rest.

It knows nothing of one process or many: who shares the data and how gradients become weights is
the communicator's, which samples come when is the loader's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import torch

from baryon.config import Config
from baryon.data.ledger import Ledger
from baryon.errors import BaryonError
from baryon.interfaces import Batch, Share
from baryon.reporting.console import speak
from baryon.reporting.metrics_log import MetricsLog
from baryon.reporting.run_directory import RunDirectory
from baryon.reporting.training_progress import TrainingProgress, describe, training_progress
from baryon.training import checkpoint
from baryon.training.evaluation import validation_loss
from baryon.training.meters import Rate, counting_flops
from baryon.training.optimizers import Updates
from baryon.training.parts import TRAIN, VALIDATION, Parts
from baryon.training.signals import StopRequest

SAMPLES = "samples"
UPDATES_PER_STEP = "updates_per_step"
"""Measured by a communicator: updates of the weights, by all groups, in a step of this one."""


class Trainer:
    """Trains the parts of one run until its last step or a request to stop."""

    def __init__(self, parts: Parts, config: Config, run: RunDirectory, stop: StopRequest) -> None:
        self.parts, self.config, self.run, self.stop = parts, config, run, stop
        self.loader = parts.loader(TRAIN)
        self.validation = parts.loader(VALIDATION) if VALIDATION in parts.dataset.splits else None
        self.ledger = Ledger(
            self.loader, {name: one.fingerprint() for name, one in parts.dataset.splits.items()}
        )
        self.steps_per_epoch = self.loader.batches_per_epoch()
        self.total_steps = self._total_steps()
        self.step = 0
        self.best = math.inf
        self._logged_step = 0
        self._samples = 0
        self._stopping = False
        self._seconds_before = 0.0
        self._started = time.monotonic()
        self._log = MetricsLog(run.log)
        self._rate = Rate()
        self._sums: dict[str, torch.Tensor] = {}
        self._progress: TrainingProgress
        updates = Updates(config.train, self.total_steps, self.steps_per_epoch)
        parts.comm.start(parts.network.model, updates)
        self._seed()

    def _total_steps(self) -> int:
        steps = self.config.train.epochs * self.steps_per_epoch
        return min(steps, self.config.train.steps or steps)

    def fit(self) -> bool:
        """Train; False if it was stopped before the last step. Always ends with a checkpoint."""
        for _ in self.steps():
            if self._stopping:
                break
        if self.step < self.total_steps:
            if self._sums:
                self._log_step()
            self._checkpoint()
            self._record("stopped", {})
        return self.step == self.total_steps

    def steps(self) -> Iterator[int]:
        """Train step by step, giving the number of each when all that belongs to it is done."""
        epochs = -(-self.total_steps // self.steps_per_epoch)
        self.parts.network.model.train()
        with training_progress(self.step, self.total_steps, epochs) as self._progress:
            for batch in self._batches():
                self._train_step(batch)
                self._after_step()
                yield self.step

    def _batches(self) -> Iterator[Batch]:
        """Every batch from where the run stands to its last step."""
        while self.step < self.total_steps:
            epoch, first = self.ledger.position(self.step)
            share = self.parts.comm.share
            self.ledger.begin(self.step, share)
            with closing(self.loader.shuffled(epoch, first, share)) as batches:
                for batch in batches:
                    yield batch
                    if self.step == self.total_steps:
                        return
                    if self.parts.comm.share != share:
                        break  # a worker died: its part of the batches is shared anew

    def _train_step(self, batch: Batch) -> None:
        samples, comm = len(batch["keys"]), self.parts.comm
        size = self.config.train.batch_size
        comm.begin(self.step, samples, size, stop=bool(self.stop))
        terms = self._gradients(batch) if samples else {}
        self._stopping = comm.step()
        self.step += 1
        self._samples += samples
        for name, term in terms.items():
            value = term.detach() * samples
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def _gradients(self, batch: Batch) -> dict[str, torch.Tensor]:
        if self._rate.flops_per_sample is not None:
            return self._backward(batch)
        terms, flops = counting_flops(lambda: self._backward(batch))
        self._rate.flops_per_sample = flops / len(batch["keys"])
        return terms

    def _backward(self, batch: Batch) -> dict[str, torch.Tensor]:
        here = self.parts.network.to_device(batch)
        terms = dict(self.parts.loss(self.parts.network(here), here))
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        return terms

    def _after_step(self) -> None:
        train = self.config.train
        ends_epoch = self.step % self.steps_per_epoch == 0 or self.step == self.total_steps
        saves = ends_epoch or self.step % train.checkpoint_every_steps == 0
        if saves or self.step % train.log_every_steps == 0:
            self._log_step()
        if ends_epoch:
            self._end_epoch()
        if saves:
            self._checkpoint()

    def _log_step(self) -> None:
        """Mean loss terms since the last time, over all workers of the group; the rates."""
        comm = self.parts.comm
        sums = {name: float(value) for name, value in self._sums.items()}
        agreed = comm.agree({**sums, SAMPLES: self._samples}, in_group=True)
        samples = agreed.pop(SAMPLES)
        means = {name: value / samples for name, value in agreed.items()}
        steps = self.step - self._logged_step
        self._sums, self._samples, self._logged_step = {}, 0, self.step
        loss = sum(means.values())
        self._require_finite(loss, steps)
        measures = comm.measures()
        rate = self._rate.read(samples * measures.get(UPDATES_PER_STEP, 1.0))
        values = {"loss": loss, **means, **rate}
        self._record("train", {**values, "comm": measures} if measures else values)
        speak(aloud=comm.leads)
        self._progress.update(self.step, self._epoch(), values)

    def _require_finite(self, loss: float, steps: int) -> None:
        """Raise `BaryonError` for a loss, or weights, from which no training goes on."""
        first = self.step - steps + 1
        bad = f"the loss became {loss}" if not math.isfinite(loss) else ""
        for name, weight in self.parts.network.model.named_parameters():
            if not bad and not torch.isfinite(weight).all():
                bad = f"weights of {name} became infinite"
        if bad:
            raise BaryonError(
                f"{bad} between steps {first} and {self.step}: lower train.learning_rate or set "
                f"train.clip_norm; {self._last_checkpoint()}"
            )

    def _last_checkpoint(self) -> str:
        path = self.run.checkpoints / checkpoint.LAST
        return f"the last good weights are in {path}" if path.is_file() else "nothing was saved"

    def _end_epoch(self) -> None:
        """Validate when it is time to, and keep the best weights."""
        epoch = self._epoch() + 1
        due = epoch % self.config.train.validate_every_epochs == 0 or self.step == self.total_steps
        if self.validation is None or not due:
            return
        parts = self.parts
        parts.comm.settle()
        values = validation_loss(parts.network, parts.loss, self.validation, parts.comm)
        better = values["loss"] < self.best
        self._record("validation", values)
        mark = "  (best so far)" if better else ""
        self._progress.line(f"epoch {epoch}: validation {describe(values)}{mark}")
        if better:
            self.best = values["loss"]
            self._save(checkpoint.BEST, {"step": self.step})
        self._rate.read(0)  # validation is not counted in the rate of training

    def _epoch(self) -> int:
        """The epoch, from 0, that the last step belonged to."""
        return (self.step - 1) // self.steps_per_epoch

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    def _record(self, kind: str, values: Mapping[str, Any]) -> None:
        if self.parts.comm.leads:
            seconds = round(self._seconds(), 3)
            where = {"step": self.step, "epoch": self._epoch() + 1, "seconds": seconds}
            self._log.write(kind, {**where, **values})

    def _save(self, name: str, state: Mapping[str, Any]) -> None:
        if self.parts.comm.leads:
            weights = self.parts.network.model.state_dict()
            checkpoint.save(self.run.checkpoints / name, {"model": weights, **state})

    def _checkpoint(self) -> None:
        self.parts.comm.settle()
        state = {
            "communicator": self.parts.comm.state_dict(),
            "step": self.step,
            "ledger": self.ledger.state_dict(self.step),
            "best": self.best,
            "seconds": self._seconds(),
            "random": torch.get_rng_state(),
            "config": self.config.digest,
        }
        self._save(checkpoint.LAST, state)

    def restore(self) -> None:
        """Go on from the run's last checkpoint, at the very sample. Only the leader reads it."""
        comm, path = self.parts.comm, self.run.checkpoints / checkpoint.LAST
        state = comm.broadcast(checkpoint.load(path) if comm.leads else None)
        self.ledger.load_state_dict(state["ledger"])
        checkpoint.put_weights(self.parts.network.model, state, path)
        comm.load_state_dict(state["communicator"])
        self.step = self._logged_step = state["step"]
        self.best = state["best"]
        self._seconds_before = state["seconds"]
        self._seed()
        if comm.leads:
            torch.set_rng_state(state["random"])
            self._log.cut_after(self.step)

    def _seed(self) -> None:
        """Dropout differs from worker to worker; the first goes on as a process alone would."""
        share = self.parts.comm.share
        if share != Share(0, share.groups, 0, share.members):
            key = (self.config.seed, self.step, share.group, share.member)
            torch.manual_seed(hash(key) % 2**63)
