"""Find the fastest execution mode among those that keep the loss curve (`train.precision=auto`).

Each mode takes the first steps of the run on a copy of the model, with the same weights, batches,
optimizer and random numbers. It may be chosen if its losses stay close to those of float32
(`CLOSE`). Loss curves are compared and not gradients: rounding errors of gradients say little about
whether a network learns as well. The answer is kept in the user's cache folder.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from baryon.config.schemas import Train
from baryon.errors import BaryonError, format_error
from baryon.interfaces import Batch, Communicator, Loss, OptimizerFactory
from baryon.system.cache import cached, keep
from baryon.terminal.console import say, warn
from baryon.training.autotune.execution_mode import (
    AUTO,
    COMPILED,
    EAGER,
    FP32,
    GRAPHS,
    TUNED,
    ExecutionMode,
    device_name,
    modes,
    precisions,
)
from baryon.training.backward import Gradient, NotFiniteError
from baryon.training.metrics.stopwatch import HostClock, Stopwatch
from baryon.training.model_runner import ModelRunner

CLOSE = 0.03
"""Largest mean distance of the losses from float32's, as a share of these, that keeps a curve.

It is what another dropout mask makes of float32's own losses; measured in docs/speed.md.
"""
SHORT = 100
"""A run of fewer steps is not worth measuring."""
MOST_STEPS, LEAST_STEPS = 24, 6
"""Steps of a trial."""
WARM_UP_STEPS = 2
"""First steps of a trial, whose time does not count."""
SECONDS = 15.0
"""About so long may a trial take."""
HOPELESS = 3.0
"""A mode that is so many times slower than float32 is given up at the second step."""
REPAYS = {GRAPHS: 60.0, COMPILED: 1200.0, TUNED: 1200.0}
"""Mode -> seconds of training from which it is tried."""


@dataclass(frozen=True)
class Trial:
    """The result of trying an execution mode.

    Attributes
    ----------
    execution : the mode
    seconds : time of the fastest step; whatever else the machine does only adds to it
    distance : distance of the losses from float32's; see `CLOSE`
    failure : why it cannot be used; "" if it can

    """

    execution: ExecutionMode
    seconds: float
    distance: float
    failure: str = ""


@dataclass
class TrialRunner:
    """Takes the first steps of a run in any execution mode, each time on a fresh copy of the model.

    Attributes
    ----------
    runner : the model, which stays as it is
    loss : the loss
    make_optimizer : builds the optimizer
    batches : the first batches of this worker
    micro_batch : most samples that go through the network at once
    seed : seed of the random numbers

    """

    runner: ModelRunner
    loss: Loss
    make_optimizer: OptimizerFactory
    batches: Sequence[Batch]
    micro_batch: int | None
    seed: int

    def run(
        self, execution: ExecutionMode, steps: int, most_seconds: float = math.inf
    ) -> tuple[list[float], list[float]]:
        """Take some steps in an execution mode.

        Returns
        -------
        losses, seconds : list of float
            Of each step; fewer than `steps` if one but the first took more than `most_seconds`.

        """
        runner = copy.copy(self.runner)
        runner.model = copy.deepcopy(self.runner.model)
        runner.use(execution)
        runner.train()
        optimizer = self.make_optimizer(runner.model.named_parameters())
        gradient = Gradient(runner, self.loss, Stopwatch(HostClock()), skips=True)
        gradient.micro_batch = self.micro_batch
        losses: list[float] = []
        seconds: list[float] = []
        devices = [runner.device] if runner.device.type == "cuda" else []
        with torch.random.fork_rng(devices):  # the run's own random numbers are not touched
            torch.manual_seed(self.seed)
            for step in range(steps):
                started = time.perf_counter()
                batch = self.batches[step % len(self.batches)]
                terms = gradient.compute(runner.to_device(batch))
                optimizer.apply(step)
                losses.append(float(sum(terms.values())))
                if runner.device.type == "cuda":
                    torch.cuda.synchronize(runner.device)
                seconds.append(time.perf_counter() - started)
                if step >= 1 and seconds[-1] > most_seconds:
                    break
        return losses, seconds


def autotune(
    train: Train, comm: Communicator, trials: TrialRunner, steps: int, key: Mapping[str, Any]
) -> dict[str, Any]:
    """Choose an execution mode, the same on all workers. Collective.

    Parameters
    ----------
    train
        The section `train` of the config, which may restrict the choice.
    comm
        The communicator. All workers measure at the same time, for in training they share the
        machine as well; the leader chooses.
    trials
        Takes the steps.
    steps
        Steps of the whole run.
    key
        What the answer depends on beside hardware, PyTorch and `steps`.

    Returns
    -------
    dict
        The fields of the `ExecutionMode`, and `why` it was chosen.

    """
    device = trials.runner.device
    allowed_precisions = precisions(device) if train.precision == AUTO else (train.precision,)
    allowed_modes = modes(train, device)
    if steps < SHORT or (len(allowed_precisions) == 1 and steps < 10 * SHORT):
        first = ExecutionMode(allowed_precisions[0], allowed_modes[0], train.channels_last)
        return first.state() | {"why": f"autotuning skipped: only {steps} steps"}
    key = {"device": device_name(device), "torch": torch.__version__, "steps": steps, **key}
    choice = comm.broadcast(cached("execution", key) if comm.is_leader else None)
    if choice is None:
        search = _Search(
            trials, allowed_precisions, allowed_modes, steps, channels_last=train.channels_last
        )
        measured = search.run()
        choice = comm.broadcast(measured if comm.is_leader else None)
        if comm.is_leader:
            keep("execution", key, choice)
    return dict(choice)


@dataclass
class _Search:
    """Tries the precisions without compiling, then compiles the best one, if that can repay."""

    trials: TrialRunner
    precisions: Sequence[str]
    modes: Sequence[str]
    steps: int
    channels_last: bool

    def run(self) -> dict[str, Any]:
        """Return the fields of the fastest `ExecutionMode`, and `why` it was chosen."""
        eager_allowed = EAGER in self.modes
        if len(self.precisions) == 1 and eager_allowed:
            only = ExecutionMode(self.precisions[0], EAGER, self.channels_last)
            _, seconds = self.trials.run(only, LEAST_STEPS)
            if not _repaid(self.modes, self.steps * min(seconds[WARM_UP_STEPS:])):
                return only.state() | {"why": "too short a run to repay compiling"}
        say(
            f"measuring how to compute a step: {', '.join(self.precisions)}; the answer is kept "
            "for next time"
        )
        base, losses = self._measure_float32()
        results = []
        if eager_allowed:
            results += [base] if FP32 in self.precisions else []
            others = [precision for precision in self.precisions if precision != FP32]
            results += [self._try(precision, EAGER, losses, base) for precision in others]
        best = _fastest(results) if results else None
        # Compiling costs minutes: only the precision that is best without it is compiled.
        candidates = [best.execution.precision] if best else self.precisions
        worth_trying = _repaid(self.modes, best.seconds * self.steps if best else math.inf)
        results += [
            self._try(precision, mode, losses, base)
            for precision in candidates
            for mode in worth_trying
        ]
        best = _fastest(results)
        return best.execution.state() | {"why": _why(best, base, results)}

    def _measure_float32(self) -> tuple[Trial, list[float]]:
        """Return the trial that all others are compared with, and its losses."""
        execution = ExecutionMode(FP32, EAGER, self.channels_last)
        _, seconds = self.trials.run(execution, LEAST_STEPS)
        count = max(LEAST_STEPS, min(MOST_STEPS, int(SECONDS / max(seconds[-1], 1e-9))))
        losses, seconds = self.trials.run(execution, count)
        return Trial(execution, min(seconds[WARM_UP_STEPS:]), 0.0), losses

    def _try(self, precision: str, mode: str, reference: list[float], base: Trial) -> Trial:
        """Take as many steps as the reference has losses."""
        execution = ExecutionMode(precision, mode, self.channels_last)
        # The first steps of other modes compile, and may take as long as they like.
        most_seconds = HOPELESS * base.seconds if mode == EAGER else math.inf
        try:
            losses, seconds = self.trials.run(execution, len(reference), most_seconds)
        except NotFiniteError:
            return Trial(execution, math.inf, math.inf, "the loss became infinite")
        except Exception as error:  # noqa: BLE001  a compiler may fail in many ways
            warn(f"{execution} does not work here: {format_error(error)[:200]}")
            return Trial(execution, math.inf, math.inf, "failed")
        if len(losses) < len(reference):
            return Trial(execution, seconds[-1], math.inf, "slow")
        return Trial(execution, min(seconds[WARM_UP_STEPS:]), distance(losses, reference))


def _repaid(allowed: Sequence[str], expected_seconds: float) -> list[str]:
    """Return the modes that are worth a trial in a run that takes so long."""
    return [mode for mode in allowed if mode != EAGER and expected_seconds >= REPAYS[mode]]


def distance(losses: Sequence[float], reference: Sequence[float]) -> float:
    """Return the mean distance of two loss curves, as a share of the mean of the second."""
    total = sum(abs(loss - expected) for loss, expected in zip(losses, reference, strict=True))
    return total / max(sum(abs(expected) for expected in reference), 1e-30)


def _fastest(trials: Sequence[Trial]) -> Trial:
    """Return the fastest trial that keeps the loss curve; raise `BaryonError` if none does."""
    good = [trial for trial in trials if trial.distance <= CLOSE]
    if not good:
        reasons = ", ".join(f"{t.execution}: {t.failure or f'{t.distance:.0%}'}" for t in trials)
        raise BaryonError(
            f"no way to compute a step keeps the loss curve of float32 ({reasons}): choose "
            "train.precision=fp32 train.compile=never"
        )
    return min(good, key=lambda trial: trial.seconds)


def _why(best: Trial, base: Trial, trials: Sequence[Trial]) -> str:
    others = [trial for trial in trials if trial is not best]
    comparison = ", ".join(f"{trial.execution} {_result(trial)}" for trial in others)
    curve = "" if best is base else f", losses within {best.distance:.2%} of float32's"
    text = f"{best.seconds * 1e3:.1f} ms a step{curve}"
    return f"{text}; {comparison}" if comparison else text


def _result(trial: Trial) -> str:
    if trial.failure:
        return trial.failure
    if trial.distance > CLOSE:
        return f"changes the losses by {trial.distance:.0%}"
    return f"{trial.seconds * 1e3:.1f} ms"
