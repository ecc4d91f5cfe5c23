"""Write and restore the checkpoints of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from baryon.data.ledger import Ledger
from baryon.errors import BaryonError
from baryon.training import rng
from baryon.training.checkpoints.file import DamagedError
from baryon.training.checkpoints.folder import Folder
from baryon.training.checkpoints.names import BEST, EMA, LAST
from baryon.training.checkpoints.saver import Saver
from baryon.training.checkpoints.schema import require_optimizer
from baryon.training.checkpoints.weights import put_weights
from baryon.training.metrics.meters import Meters
from baryon.training.optimizers import BUFFERS
from baryon.training.running_loss import RunningLoss, merged
from baryon.training.training_run import TrainingRun
from baryon.training.weight_average import WeightAverage


class CheckpointWriter:
    """Saves the whole state of a run, and restores it at the very sample."""

    def __init__(
        self,
        run: TrainingRun,
        meters: Meters,
        ledger: Ledger,
        running_loss: RunningLoss,
        average: WeightAverage,
    ) -> None:
        self._run, self._meters, self._ledger = run, meters, ledger
        self._running_loss, self._average = running_loss, average
        self._saver = Saver()
        self._folder: Folder | None = None

    def save_best(self) -> None:
        """Save the weights that the model has as the best ones so far."""
        self._save(BEST, {})

    def save_average(self) -> None:
        """Save the average of the weights, if there is one, at the end of training."""
        if self._average.is_kept:
            with self._average.in_model():
                self._save(EMA, {})

    def save_last(self) -> None:
        """Save everything that a resume needs. Collective."""
        self._saver.wait_for_copies()  # the communicator changes weights when it synchronizes
        comm = self._run.components.comm
        comm.synchronize()
        self._average.synchronize(comm)
        worker = {
            "random": rng.random_state(self._run.components.runner.device),
            "running_loss": self._running_loss.state_dict(),
        }
        values = {
            "communicator": comm.state_dict(),
            "ema": self._average.state_dict(),
            "best": self._run.state.best,
            "early_stopping": self._run.state.early_stopping.state_dict(),
            "meters": self._meters.state_dict(),
            "workers": comm.gather(worker),
            "ledger": self._ledger.state_dict(self._run.state.step),
            "config": self._run.config.decisive,
        }
        self._save(LAST, values)

    def wait_for_copies(self) -> None:
        """Wait until weights and optimizer state are copied and may change."""
        self._saver.wait_for_copies()

    def check(self) -> None:
        """Raise `BaryonError` if a checkpoint could not be written."""
        self._saver.check()

    def finish(self) -> None:
        """Wait until everything is on disk. Raises `BaryonError` if it could not be written."""
        self._saver.finish()

    def last_good(self) -> str:
        """Say where the last good weights are, for the message of an error that ends the run."""
        self._saver.finish()
        path = self._run.directory.checkpoints / LAST
        return f"the last good weights are in {path}" if path.is_file() else "nothing was saved"

    def restore(self, saved: Mapping[str, Any], path: Path) -> None:
        """Restore all but the log. Collective.

        Parameters
        ----------
        saved
            What the leader read from the checkpoint.
        path
            Where it was read, for messages.

        Raises
        ------
        BaryonError
            If the checkpoint is beyond the end of this run.
        DamagedError
            If what it holds does not fit together.

        """
        comm, model = self._run.components.comm, self._run.components.runner.model
        self._ledger.load_state_dict(saved["ledger"])
        if saved["step"] > self._run.state.total_steps:
            raise BaryonError(
                f"{path} is of step {saved['step']}, but this run ends after "
                f"{self._run.state.total_steps}: put the run's own checkpoint there"
            )
        put_weights(model, saved, path)
        buffers = BUFFERS[self._run.config.train.optimizer]
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        require_optimizer(path, saved["communicator"], trained, buffers)
        comm.load_state_dict(saved["communicator"])
        self._average.load_state_dict(saved["ema"], path)
        self._run.state.step, self._run.state.best = saved["step"], saved["best"]
        self._run.state.early_stopping.load_state_dict(saved["early_stopping"])
        if self._run.state.early_stopping.is_due:
            self._run.state.end_here()  # it ended early, and was killed before it was evaluated
        self._restore_worker(saved["workers"], path)

    def _restore_worker(self, workers: Sequence[Mapping[str, Any]], path: Path) -> None:
        comm, device = self._run.components.comm, self._run.components.runner.device
        if (worker := rng.state_of_worker(workers, comm.shard)) is not None:
            try:
                rng.set_random_state(worker["random"], device)
            except RuntimeError as error:
                raise DamagedError(f"{path} holds no states of random generators") from error
            self._running_loss.load_state_dict(worker["running_loss"], device)
            return
        # With another number of workers the saved states belong to none: all generators start anew.
        rng.seed_worker(self._run.config.seed, self._run.state.step, comm.shard)
        running = [worker["running_loss"] for worker in workers]
        if not comm.is_leader:  # the leader takes over the sums of all, for it writes the log
            running = [{**running[0], "samples": 0, "sums": {}}]
        self._running_loss.load_state_dict(merged(running), device)

    def _save(self, name: str, values: Mapping[str, Any]) -> None:
        runner, train = self._run.components.runner, self._run.config.train
        if not self._run.components.comm.is_leader:
            return
        if self._folder is None:
            self._folder = Folder(
                self._run.directory.checkpoints, train.keep_checkpoints, train.shard_gib
            )
        state = {
            "step": self._run.state.step,
            "execution": runner.execution.state(),
            "identity": self._run.components.identity,
            "model": runner.model.state_dict(),
            **values,
        }
        # Forward changes the buffers (batch norm's means) at once; all else only changes in the
        # update, so it is copied while the next step computes its gradient.
        buffers = {("model", buffer) for buffer, _ in runner.model.named_buffers()}
        self._saver.save(
            self._folder.write, name, self._run.state.step, state, buffers.__contains__
        )
