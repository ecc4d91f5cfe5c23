"""The training loop: gradient, the communicator's step; now and then the rest.

It knows nothing of one process or many: who shares the data and how gradients become weights is
the communicator's, which samples come when is the loader's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from baryon.config.config import Config
from baryon.data.ledger import Ledger
from baryon.data.loader import Loader
from baryon.errors import BaryonError
from baryon.interfaces import Batch
from baryon.plugins.answers import numbers
from baryon.runs.directory import RunDirectory
from baryon.runs.metrics_log import STEPS, MetricsLog
from baryon.terminal.console import speak, warn
from baryon.terminal.training_progress import TrainingProgress, describe, training_progress
from baryon.tracking.trackers import Trackers
from baryon.training import nonfinite, rng
from baryon.training.autotune.autotuner import Autotuner
from baryon.training.backward import Gradient, NotFiniteError, Terms
from baryon.training.build import TRAIN, VALIDATION, RunComponents
from baryon.training.checkpoints.file import DamagedError
from baryon.training.checkpoints.folder import BEST, LAST, Folder
from baryon.training.checkpoints.saver import Saver
from baryon.training.checkpoints.schema import require_optimizer
from baryon.training.checkpoints.weights import put_weights
from baryon.training.evaluation import unusable_rows, validation_loss
from baryon.training.metrics.flop_count import counting
from baryon.training.metrics.meters import Meters
from baryon.training.metrics.peak_flops import peak_flops
from baryon.training.metrics.stopwatch import (
    CHECKPOINT,
    COMMUNICATION,
    EVALUATION,
    INPUT,
    REST,
    Stopwatch,
    clock_of,
)
from baryon.training.optimizers import BUFFERS, ScheduledOptimizerFactory
from baryon.training.profiling import profiling
from baryon.training.run_lock import RunLock
from baryon.training.running_loss import RunningLoss, merged
from baryon.training.stop_request import StopRequest

SAMPLES, TO_READ = "samples", "samples to read"
UPDATES_PER_STEP = "updates_per_step"
"""Measured by a communicator: updates of the weights, by all groups, in a step of this one."""
Observer = Callable[[int, Mapping[str, float]], bool]
"""Told the epoch (from 1) and the loss terms of each validation; true asks the run to stop."""
MOST_SKIPPED = 10
"""Steps in a row whose samples may be skipped before the run is stopped."""


class Trainer:
    """Trains the parts of one run until its last step or a request to stop."""

    def __init__(
        self,
        components: RunComponents,
        config: Config,
        run: RunDirectory,
        stop: StopRequest,
        trackers: Trackers | None = None,
        observe: Observer | None = None,
        lock: RunLock | None = None,
    ) -> None:
        self._trackers = trackers
        self.components, self.config, self.run, self.stop = components, config, run, stop
        self._observe, self._lock = observe, lock
        self.loader = components.loader(TRAIN)
        self.validation = (
            components.loader(VALIDATION) if VALIDATION in components.dataset.splits else None
        )
        self.ledger = Ledger(
            self.loader,
            {name: one.fingerprint() for name, one in components.dataset.splits.items()},
        )
        self.steps_per_epoch = self.loader.batches_per_epoch()
        self.total_steps = self._total_steps()
        self.step = 0
        self.best = math.inf
        self._checked_step = 0
        self._skipped = 0
        self._stopping = False
        self._stopwatch = Stopwatch(clock_of(components.runner.device))
        self.meters = Meters(
            self._stopwatch, components.comm.shard.num_groups * components.comm.shard.group_size
        )
        self._log = MetricsLog(run.log)
        self._running_loss = RunningLoss()
        self._progress: TrainingProgress
        train = config.train
        updates = ScheduledOptimizerFactory(train, self.total_steps, self.steps_per_epoch)
        self.autotuner = Autotuner(components, config, self.loader, updates, self.total_steps)
        skips = train.nonfinite == "skip"
        self._gradient = Gradient(components.runner, components.loss, self._stopwatch, skips=skips)
        self._gradient.micro_batch = self.autotuner.micro_batch
        self._saver = Saver()
        self._folder: Folder | None = None
        components.comm.start(
            components.runner.model,
            ScheduledOptimizerFactory(
                train, self.total_steps, self.steps_per_epoch, self._stopwatch
            ),
        )
        rng.seed_worker(config.seed, 0, components.comm.shard)

    def _total_steps(self) -> int:
        steps = self.config.train.epochs * self.steps_per_epoch
        return min(steps, self.config.train.steps or steps)

    def fit(self) -> bool:
        """Train; False if it was stopped before the last step. Always ends with a checkpoint."""
        for _ in self.steps():
            if self._stopping:
                break
        if self.step < self.total_steps:
            self._require_finite_weights()
            if self._running_loss.steps:  # on all workers of the group, who are at one step
                self._log_step(whole=False)
            self._checkpoint()
        with self._stopwatch.inside(CHECKPOINT):
            self._saver.finish()
        self.meters.read(0, 0)
        self._record("meters", self.meters.summary())
        if self.step < self.total_steps:
            self._record("stopped", {})
        return self.step == self.total_steps

    def steps(self) -> Iterator[int]:
        """Train step by step, giving the number of each when all that belongs to it is done."""
        self._measure_ceiling()
        self._record("execution", {**self.autotuner.state(), **self._size()})
        epochs = -(-self.total_steps // self.steps_per_epoch)
        runner = self.components.runner
        runner.model.train()
        profiled = profiling(self.config.train.profile, runner.device, self.run.path)
        self._stopwatch.steps_begin()
        with (
            profiled as next_step,
            training_progress(self.step, self.total_steps, epochs) as self._progress,
        ):
            for batch in self._batches():
                self._train_step(batch)
                next_step()
                self._after_step()
                yield self.step

    def _size(self) -> dict[str, int]:
        parameters = sum(p.numel() for p in self.components.runner.model.parameters())
        return {"total_steps": self.total_steps, "parameters": parameters}

    def _measure_ceiling(self) -> None:
        """Of all workers together."""
        runner = self.components.runner
        here = peak_flops(runner.execution, runner.device)
        self.meters.peak_flops = self.components.comm.all_reduce_sum({"ceiling": here})["ceiling"]

    def _batches(self) -> Iterator[Batch]:
        """Every batch from where the run stands to its last step."""
        while self.step < self.total_steps:
            epoch, first = self.ledger.position(self.step)
            shard = self.components.comm.shard
            self.ledger.begin(self.step, shard)
            self._stopwatch.switch(INPUT)
            with closing(self.loader.shuffled(epoch, first, shard)) as batches:
                for batch in batches:
                    yield batch
                    self._stopwatch.switch(INPUT)
                    if self.step == self.total_steps:
                        return
                    if self.components.comm.shard != shard:
                        break  # a worker died: its part of the batches is shared anew

    def _train_step(self, batch: Batch) -> None:
        samples = len(batch["keys"])
        terms = self._gradients(batch) if samples else self._begin(0)
        self._stopwatch.switch(COMMUNICATION)
        self._saver.wait_for_copies()
        self._stopping = self.components.comm.step()
        self.step += 1
        self._stopwatch.switch(REST)
        self._stopwatch.step_ended(samples)
        self._running_loss.add(terms, samples)

    def _begin(self, samples: int) -> dict[str, torch.Tensor]:
        """Tell the communicator; no loss terms yet."""
        _, number = self.ledger.position(self.step)
        size = self.loader.samples_of_batch(number)
        self.components.comm.begin(self.step, samples, size, stop=bool(self.stop))
        return {}

    def _gradients(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The loss terms; none if the samples were skipped."""
        samples = len(batch["keys"])
        random = rng.random_state(self.components.runner.device)
        here = self.components.runner.to_device(batch)

        def compute() -> dict[str, torch.Tensor]:
            return self._gradient.compute(here, lambda: self._begin(samples))

        try:
            terms = compute() if self.meters.operations else self._counting(compute, here)
        except NotFiniteError as error:
            self._not_finite(error, here, random)
            return self._begin(0)
        self._skipped = 0
        return terms

    def _counting(self, compute: Callable[[], Terms], batch: Batch) -> dict[str, torch.Tensor]:
        """Operations are counted in the first step of a run; a compiled network hides them.

        What is computed twice to save memory counts once, so then they are one sample's.
        """
        if self.config.train.activation_checkpointing:
            self.meters.operations = self._gradient.operations_of(batch)
            return compute()
        terms: dict[str, torch.Tensor]
        self._gradient.eager = True
        try:
            terms, self.meters.operations = counting(compute, len(batch["keys"]))
        finally:
            self._gradient.eager = False
        return terms

    def _not_finite(self, error: NotFiniteError, batch: Batch, random: rng.Random) -> None:
        """Save the batch; raise `BaryonError`, or pass over its samples with a warning."""
        step, shard = self.step + 1, self.components.comm.shard
        workers = shard.num_groups * shard.group_size
        worker = f"-worker-{shard.group * shard.group_size + shard.rank}" if workers > 1 else ""
        path = self.run.path / nonfinite.FOLDER / f"step-{step}{worker}.pt"
        device = self.components.runner.device
        after = rng.random_state(device)
        where = nonfinite.save(
            path,
            self.components.runner,
            self.components.loss,
            batch,
            step=step,
            epoch=self.step // self.steps_per_epoch + 1,
            terms=error.terms,
            random=random,
        )
        rng.set_random(after, device)
        self._skipped += 1
        text = f"step {step}: {where}; the batch and its weights are in {path}"
        if self.config.train.nonfinite == "skip" and self._skipped < MOST_SKIPPED:
            warn(f"{text}; its samples are skipped")
            return
        advice = "lower train.learning_rate or set train.clip_norm"
        if nonfinite.INPUTS in where:
            advice = "look at the data of these samples"
        raise BaryonError(f"{text}; {advice}; {self._last_checkpoint()}")

    def _after_step(self) -> None:
        train = self.config.train
        self._saver.check()
        ends_run = self.step == self.total_steps
        ends_epoch = self.step % self.steps_per_epoch == 0 or ends_run
        saves = ends_epoch or self.step % train.checkpoint_every_steps == 0
        ends_interval = self.step % train.log_every_steps == 0
        if ends_interval or saves:
            self._require_finite_weights()
        if ends_interval or ends_run:
            self._log_step(whole=ends_interval)
            self._running_loss.clear()
        if ends_epoch:
            with self._stopwatch.inside(EVALUATION):
                self._end_epoch()
        if saves:
            self._checkpoint()

    def _log_step(self, *, whole: bool) -> None:
        """Log mean loss terms over the interval, of all workers of the group, and the rates.

        The mean over less than a `whole` interval says of how many `steps` it is.
        """
        comm, running = self.components.comm, self._running_loss
        own = self.meters.samples_to_read()
        agreed = comm.all_reduce_sum(
            {**running.sums(), SAMPLES: running.samples, TO_READ: own}, in_group=True
        )
        samples, to_read = agreed.pop(SAMPLES), agreed.pop(TO_READ)
        measures = numbers(f"{self.components.owners['comm']}: measures()", comm.metrics())
        rates = self.meters.read(own, to_read * measures.get(UPDATES_PER_STEP, 1.0))
        if not samples:  # all were skipped
            return
        means = {name: value / samples for name, value in agreed.items()}
        losses = {"loss": sum(means.values()), **means}
        extra = {"comm": measures} if measures else {}
        short = {} if whole else {STEPS: running.steps}
        self._record("train", {**losses, **rates, **extra, **short})
        speak(aloud=comm.is_leader)
        self._progress.update(self.step, self._epoch(), {**losses, **_shown(rates)})

    def _require_finite_weights(self) -> None:
        """Raise `BaryonError` for weights from which no training goes on."""
        first, self._checked_step = self._checked_step + 1, self.step
        for name, weight in self.components.runner.model.named_parameters():
            if not torch.isfinite(weight).all():
                raise BaryonError(
                    f"weights of {name} became infinite between steps {first} and "
                    f"{self.step}: lower train.learning_rate or set train.clip_norm; "
                    f"{self._last_checkpoint()}"
                )

    def _last_checkpoint(self) -> str:
        self._saver.finish()
        path = self.run.checkpoints / LAST
        return f"the last good weights are in {path}" if path.is_file() else "nothing was saved"

    def _end_epoch(self) -> None:
        """Validate when it is time to, and keep the best weights."""
        epoch = self._epoch() + 1
        due = epoch % self.config.train.validate_every_epochs == 0 or self.step == self.total_steps
        if self.validation is None or not due:
            return
        components = self.components
        components.comm.synchronize()
        values = validation_loss(components, self.validation)
        if not all(map(math.isfinite, values.values())):
            self._invalid_validation(epoch, self.validation, values)
            return
        better = values["loss"] < self.best
        self._record("validation", values)
        if self._observe is not None and components.comm.is_leader and self._observe(epoch, values):
            self.stop.asked = True
        mark = "  (best so far)" if better else ""
        self._progress.line(f"epoch {epoch}: validation {describe(values)}{mark}")
        if better:
            self.best = values["loss"]
            with self._stopwatch.inside(CHECKPOINT):
                self._save(BEST, {})

    def _invalid_validation(self, epoch: int, loader: Loader, values: Mapping[str, float]) -> None:
        """Raise `BaryonError`, or warn where samples that give no loss are skipped. Collective."""
        terms = [name for name, value in values.items() if not math.isfinite(value)]
        text = (
            f"the validation loss of epoch {epoch} is not finite ({', '.join(terms[1:] or terms)})"
            f": {unusable_rows(self.components, loader)} of split {VALIDATION!r}"
        )
        if self.config.train.nonfinite != "skip":
            raise BaryonError(f"{text}; look at the data; {self._last_checkpoint()}")
        warn(f"{text}; this validation chooses no best weights")

    def _epoch(self) -> int:
        """The epoch, from 0, that the last step belonged to."""
        return max(0, self.step - 1) // self.steps_per_epoch

    def _record(self, kind: str, values: Mapping[str, Any]) -> None:
        if self.components.comm.is_leader:
            if self._lock is not None:
                self._lock.acquire(self.run.path)  # who led before may have died with it
            seconds = round(self.meters.seconds(), 3)
            where = {"step": self.step, "epoch": self._epoch() + 1, "seconds": seconds}
            record = {**where, **values}
            self._log.write(kind, record)
            if self._trackers is not None and not self._cut_short(record):
                self._trackers.log(kind, record)

    def _save(self, name: str, values: Mapping[str, Any]) -> None:
        """The leader saves; all but the model's buffers is copied during the next step."""
        runner, train = self.components.runner, self.config.train
        if not self.components.comm.is_leader:
            return
        if self._folder is None:
            self._folder = Folder(self.run.checkpoints, train.keep_checkpoints, train.shard_gib)
        found = {
            "step": self.step,
            "execution": runner.execution.state(),
            "identity": self.components.identity,
            "model": runner.model.state_dict(),
            **values,
        }
        buffers = {("model", buffer) for buffer, _ in runner.model.named_buffers()}
        self._saver.save(self._folder.write, name, self.step, found, buffers.__contains__)

    def _checkpoint(self) -> None:
        with self._stopwatch.inside(CHECKPOINT):
            self._saver.wait_for_copies()
            comm = self.components.comm
            comm.synchronize()
            values = {
                "communicator": comm.state_dict(),
                "best": self.best,
                "meters": self.meters.state_dict(),
                "workers": comm.gather(
                    {
                        "random": rng.random_state(self.components.runner.device),
                        "running_loss": self._running_loss.state_dict(),
                    }
                ),
                "ledger": self.ledger.state_dict(self.step),
                "config": self.config.decisive,
            }
            self._save(LAST, values)

    def restore(self, found: Mapping[str, Any], path: Path) -> None:
        """Go on from a checkpoint, at the very sample; `found` is what the leader read."""
        comm = self.components.comm
        self.ledger.load_state_dict(found["ledger"])
        if found["step"] > self.total_steps:
            raise BaryonError(
                f"{path} is of step {found['step']}, but this run ends after {self.total_steps}: "
                "put the run's own checkpoint there"
            )
        model = self.components.runner.model
        put_weights(model, found, path)
        buffers = BUFFERS[self.config.train.optimizer]
        require_optimizer(path, found["communicator"], dict(model.named_parameters()), buffers)
        comm.load_state_dict(found["communicator"])
        self.step = self._checked_step = found["step"]
        self.best = found["best"]
        last = comm.broadcast(self._log.read()[-1:] if comm.is_leader else None)
        reached = last[0]["seconds"] if last else 0.0
        self.meters.load_state_dict(found["meters"], reached)
        self._restore_worker(found["workers"], path)
        if comm.is_leader:
            self._log.keep(self._stays)

    def _restore_worker(self, workers: Sequence[Mapping[str, Any]], path: Path) -> None:
        """Each of as many workers goes on with its own; of another number all begin anew."""
        comm, device = self.components.comm, self.components.runner.device
        if (own := rng.own(workers, comm.shard)) is not None:
            try:
                rng.set_random(own["random"], device)
            except RuntimeError as error:
                raise DamagedError(f"{path} holds no states of random generators") from error
            self._running_loss.load_state_dict(own["running_loss"], device)
            return
        rng.seed_worker(self.config.seed, self.step, comm.shard)
        running = [worker["running_loss"] for worker in workers]
        if not comm.is_leader:  # what all have summed is the leader's, for the log is
            running = [{**running[0], "samples": 0, "sums": {}}]
        self._running_loss.load_state_dict(merged(running), device)

    def _stays(self, record: Mapping[str, Any]) -> bool:
        """Whether a line of the log holds in a resumed run, which makes all later ones again.

        An interval that was cut short as well: the resumed run finishes it.
        """
        return record.get("step", math.inf) <= self.step and not self._cut_short(record)

    def _cut_short(self, record: Mapping[str, Any]) -> bool:
        """Whether a line of the log holds means over the steps until the run was stopped."""
        return STEPS in record and bool(record["step"] < self.total_steps)


def _shown(rates: Mapping[str, Any]) -> dict[str, float]:
    return {name: rates[name] for name in ("samples_per_second", "tflops_per_second")}
