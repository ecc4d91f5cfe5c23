"""Train a network step by step: the heart of a run is `Trainer.train_step`.

The trainer does not know whether one process trains or many. How gradients become weights, and
which part of a batch is whose, is the communicator's; which samples come when is the loader's.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from baryon.config.config import Config
from baryon.config.schemas import Train
from baryon.data.ledger import Ledger
from baryon.interfaces import Batch
from baryon.runs.directory import RunDirectory
from baryon.terminal.training_progress import TrainingProgress, training_progress
from baryon.tracking.trackers import Trackers
from baryon.training import rng
from baryon.training.autotune.autotuner import Autotuner
from baryon.training.backward import Gradient, NotFiniteError, Terms
from baryon.training.build import TRAIN, RunComponents
from baryon.training.checkpoints.writer import CheckpointWriter
from baryon.training.early_stopping import EarlyStopping
from baryon.training.first_step_flops import FirstStepFlops
from baryon.training.metrics.meters import Meters
from baryon.training.metrics.peak_flops import peak_flops
from baryon.training.metrics.stopwatch import (
    CHECKPOINT,
    COMMUNICATION,
    INPUT,
    REST,
    Stopwatch,
    clock_of,
)
from baryon.training.nonfinite_guard import NonFiniteGuard
from baryon.training.optimizers import ScheduledOptimizerFactory
from baryon.training.profiling import profiling
from baryon.training.run_lock import RunLock
from baryon.training.running_loss import RunningLoss
from baryon.training.state import TrainingState
from baryon.training.stop_request import StopRequest
from baryon.training.training_log import TrainingLog
from baryon.training.training_run import TrainingRun
from baryon.training.validation import Observer, Validation
from baryon.training.weight_average import WeightAverage


class Trainer:
    """Trains the components of one run until its last step or a request to stop.

    Call `prepare`, then `restore` if the run goes on from a checkpoint, then `fit`.
    """

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
        self.components, self.config, self.run, self.stop = components, config, run, stop
        comm, runner, train = components.comm, components.runner, config.train
        self.loader = components.loader(TRAIN)
        splits = components.dataset.splits.items()
        self.ledger = Ledger(self.loader, {name: split.fingerprint() for name, split in splits})
        self.state = _first_state(train, self.loader.batches_per_epoch())
        training = TrainingRun(components, config, run, self.state)

        self._stopwatch = Stopwatch(clock_of(runner.device))
        self.meters = Meters(self._stopwatch, comm.shard.num_groups * comm.shard.group_size)
        self._running_loss = RunningLoss()
        self._average = WeightAverage(runner.model, train.ema)
        self._log = TrainingLog(training, self.meters, trackers, lock)
        self._checkpoints = CheckpointWriter(
            training, self.meters, self.ledger, self._running_loss, self._average
        )
        self._validation = Validation(
            training, self._log, self._checkpoints, self._average, self._stopwatch, stop, observe
        )
        skips = train.nonfinite == "skip"
        self._gradient = Gradient(runner, components.loss, self._stopwatch, skips=skips)
        self._guard = NonFiniteGuard(training, self._checkpoints, self._gradient)
        self._flops = FirstStepFlops(
            self.meters, self._gradient, recomputes=train.activation_checkpointing
        )
        self.autotuner = Autotuner(
            components, config, self.loader, self._optimizer_factory(None), self.state.total_steps
        )
        self._stopping = False
        self._progress: TrainingProgress

    def prepare(self) -> None:
        """Tune the execution mode and give all workers the leader's weights. Collective."""
        self.autotuner.tune()
        self._gradient.micro_batch = self.autotuner.micro_batch
        comm = self.components.comm
        comm.start(self.components.runner.model, self._optimizer_factory(self._stopwatch))
        self._average.start()
        rng.seed_worker(self.config.seed, 0, comm.shard)

    def restore(self, saved: Mapping[str, Any], path: Path) -> None:
        """Go on from a checkpoint; `saved` is what the leader read from `path`. Collective."""
        self._checkpoints.restore(saved, path)
        self._guard.restored()
        self.meters.load_state_dict(saved["meters"], self._log.resume())

    def fit(self) -> bool:
        """Train, and save a checkpoint in the end.

        Returns
        -------
        bool
            False if the training was stopped before the last step.

        """
        for _ in self.steps():
            if self._stopping:
                break
        finished = self.state.ends_run
        if not finished:
            self._guard.require_finite_weights()
            if self._running_loss.steps:  # equal on all workers of the group: they are at one step
                self._log_interval(whole=False)
            self._save_checkpoint()
        with self._stopwatch.inside(CHECKPOINT):
            self._checkpoints.save_average()
            self._checkpoints.finish()
        self.meters.read(0, 0)
        self._log.record("meters", self.meters.summary())
        if not finished:
            self._log.record("stopped", {})
        return finished

    def steps(self) -> Generator[int, None, None]:
        """Train step by step; yield the number of each step when all that belongs to it is done."""
        self._begin_run()
        runner, state = self.components.runner, self.state
        runner.train()
        profiled = profiling(self.config.train.profile, runner.device, self.run.path)
        epochs = -(-state.total_steps // state.steps_per_epoch)
        self._stopwatch.steps_begin()
        with (
            profiled as next_profiled_step,
            training_progress(state.step, state.total_steps, epochs) as self._progress,
        ):
            for batch in self._batches():
                self.train_step(batch)
                next_profiled_step()
                self._after_step()
                yield state.step

    def train_step(self, batch: Batch) -> None:
        """Take one step: forward, `comm.begin`, backward, `comm.step`, then account for it.

        Parameters
        ----------
        batch
            This worker's part of the step's batch. It may be empty, and the worker
            takes part in the communication all the same.

        """
        comm, runner, step = self.components.comm, self.components.runner, self.state.step
        samples, batch_size = len(batch["keys"]), self._samples_of_all_workers()
        loss_terms: Terms = {}
        if samples:
            random_state = rng.random_state(runner.device)
            batch = runner.to_device(batch)
            try:
                with self._flops.count(batch):
                    forward = self._gradient.forward(batch)
                    comm.begin(step, samples, batch_size, stop=bool(self.stop))
                    loss_terms = self._gradient.backward(forward)
                self._guard.step_succeeded()
            except NotFiniteError as error:
                self._guard.skip_or_raise(error, batch, random_state)
                # Only reached if samples are skipped; then the error came before `comm.begin`.
                comm.begin(step, 0, batch_size, stop=bool(self.stop))
        else:
            comm.begin(step, 0, batch_size, stop=bool(self.stop))

        self._stopwatch.switch(COMMUNICATION)
        self._checkpoints.wait_for_copies()  # the next line changes the weights
        self._stopping = comm.step()

        self._stopwatch.switch(REST)
        self._average.update(step)
        self.state.step += 1
        self._stopwatch.step_ended(samples)
        self._running_loss.add(loss_terms, samples)

    def _after_step(self) -> None:
        """Log, validate and save whatever is due after the step just taken."""
        train, state = self.config.train, self.state
        self._checkpoints.check()
        ends_interval = state.step % train.log_every_steps == 0
        saves = state.ends_epoch or state.step % train.checkpoint_every_steps == 0
        # A checkpoint always follows a check of the weights: no bad ones are ever saved.
        if ends_interval or saves:
            self._guard.require_finite_weights()
        if ends_interval or state.ends_run:
            self._log_interval(whole=ends_interval)
            self._running_loss.clear()
        if state.ends_epoch:
            self._validation.end_epoch(self._progress.line)
            if state.ends_run and self._running_loss.steps:  # it ended early, within an interval
                self._log_interval(whole=False)
                self._running_loss.clear()
        if saves:
            self._save_checkpoint()

    def _batches(self) -> Iterator[Batch]:
        """Yield this worker's part of every batch from where the run stands to its last step."""
        comm, state = self.components.comm, self.state
        while not state.ends_run:
            epoch, first = self.ledger.position(state.step)
            shard = comm.shard
            self.ledger.begin(state.step, shard)
            self._stopwatch.switch(INPUT)
            with closing(self.loader.shuffled(epoch, first, shard)) as batches:
                for batch in batches:
                    yield batch
                    self._stopwatch.switch(INPUT)
                    if state.ends_run:
                        return
                    if comm.shard != shard:
                        break  # a worker died: the rest of the epoch is divided anew

    def _samples_of_all_workers(self) -> int:
        _, number = self.ledger.position(self.state.step)
        return self.loader.samples_of_batch(number)

    def _begin_run(self) -> None:
        """Measure the peak speed of all workers and log how the run computes. Collective."""
        comm, runner = self.components.comm, self.components.runner
        own_peak = peak_flops(runner.execution, runner.device)
        self.meters.peak_flops = comm.all_reduce_sum({"peak": own_peak})["peak"]
        parameters = sum(parameter.numel() for parameter in runner.model.parameters())
        size = {"total_steps": self.state.total_steps, "parameters": parameters}
        self._log.record("execution", {**self.autotuner.state(), **size})

    def _log_interval(self, *, whole: bool) -> None:
        shown = self._log.record_interval(self._running_loss, whole=whole)
        if shown is not None:
            self._progress.update(self.state.step, self.state.epoch, shown)

    def _save_checkpoint(self) -> None:
        with self._stopwatch.inside(CHECKPOINT):
            self._checkpoints.save_last()

    def _optimizer_factory(self, stopwatch: Stopwatch | None) -> ScheduledOptimizerFactory:
        state = self.state
        return ScheduledOptimizerFactory(
            self.config.train, state.total_steps, state.steps_per_epoch, stopwatch
        )


def _first_state(train: Train, steps_per_epoch: int) -> TrainingState:
    """Return where a new run stands, whose steps end with the last epoch or with `train.steps`."""
    all_epochs = train.epochs * steps_per_epoch
    total_steps = min(all_epochs, train.steps or all_epochs)
    early_stopping = EarlyStopping(train.patience, train.min_improvement)
    return TrainingState(total_steps, steps_per_epoch, early_stopping=early_stopping)
