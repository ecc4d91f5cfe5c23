"""`train.precision=auto`: the fastest way on this hardware among those that keep the loss curve.

Each way takes the first steps of the run, on a copy of the model: the same weights, batches,
optimizer and random numbers. A way is kept if its losses stay with those of float32 (`CLOSE`), and
the fastest of them is chosen. The answer is kept in the user's cache folder.
"""

from __future__ import annotations

import copy
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
"""Mean distance of the losses from float32's, as a share of these, that keeps a curve.

It is what another dropout mask makes of float32's own losses; measured in docs/speed.md.
"""
SHORT = 100
"""A run of fewer steps is not worth measuring."""
STEPS, LEAST_STEPS, WARM_UP = 24, 6, 2
SECONDS = 15.0  # about so long for each way
HOPELESS = 3.0  # times as slow as float32 at the second step: not measured on
REPAYS = {GRAPHS: 60.0, COMPILED: 1200.0, TUNED: 1200.0}
"""Mode -> seconds of training from which it is tried."""


@dataclass(frozen=True)
class Trial:
    """One way, tried."""

    execution: ExecutionMode
    seconds: float
    """Of the fastest step: whatever else the machine does only adds to it."""
    distance: float
    """From float32's losses; see `CLOSE`."""
    failed: str = ""


@dataclass
class TrialRunner:
    """What a trial takes: how to make a fresh copy, and the batches of the first steps."""

    runner: ModelRunner
    loss: Loss
    updates: OptimizerFactory
    batches: Sequence[Batch]
    micro_batch: int | None
    seed: int

    def run(
        self, execution: ExecutionMode, steps: int, most: float
    ) -> tuple[list[float], list[float]]:
        """Losses and seconds of `steps` steps, or fewer if one is slower than `most` seconds."""
        runner = copy.copy(self.runner)
        runner.model = copy.deepcopy(self.runner.model)
        runner.use(execution)
        runner.model.train()
        update = self.updates(runner.model.parameters())
        gradient = Gradient(runner, self.loss, Stopwatch(HostClock()), skips=True)
        gradient.micro_batch = self.micro_batch
        losses: list[float] = []
        seconds: list[float] = []
        devices = [runner.device] if runner.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(self.seed)
            for step in range(steps):
                started = time.perf_counter()
                batch = self.batches[step % len(self.batches)]
                terms = gradient.compute(runner.to_device(batch))
                update.apply(step)
                losses.append(float(sum(terms.values())))
                if runner.device.type == "cuda":
                    torch.cuda.synchronize(runner.device)
                seconds.append(time.perf_counter() - started)
                if step >= 1 and seconds[-1] > most:
                    break
        return losses, seconds


def autotune(
    train: Train, comm: Communicator, tries: TrialRunner, steps: int, key: Mapping[str, Any]
) -> dict[str, Any]:
    """The leader's choice, the same on all workers, as `Execution.state` with `why`. Collective.

    All workers measure at the same time, for in training they share the machine as well; `key` is
    what, beside the hardware, the answer depends on.
    """
    device = tries.runner.device
    kinds = precisions(device) if train.precision == AUTO else (train.precision,)
    allowed = modes(train, device)
    first = ExecutionMode(kinds[0], allowed[0], train.channels_last)
    if steps < SHORT or (len(kinds) == 1 and steps < 10 * SHORT):
        return first.state() | {"why": f"not measured, for {steps} steps are few"}
    whole = {"device": device_name(device), "torch": torch.__version__, "steps": steps, **key}
    kept = comm.broadcast(cached("execution", whole) if comm.is_leader else None)
    if kept is None:
        found = _measured(tries, kinds, allowed, train.channels_last, steps)
        kept = comm.broadcast(found if comm.is_leader else None)
        if comm.is_leader:
            keep("execution", whole, kept)
    return dict(kept)


def _measured(
    tries: TrialRunner, kinds: Sequence[str], allowed: Sequence[str], last: bool, steps: int
) -> dict[str, Any]:
    reference = ExecutionMode(FP32, EAGER, last)
    if len(kinds) == 1 and EAGER in allowed:
        only = ExecutionMode(kinds[0], EAGER, last)
        expected = steps * min(tries.run(only, LEAST_STEPS, float("inf"))[1][WARM_UP:])
        if not _repaid(allowed, expected):
            return only.state() | {"why": "too short a run to repay compiling"}
    say(f"measuring how to compute a step: {', '.join(kinds)}; the answer is kept for next time")
    _, seconds = tries.run(reference, LEAST_STEPS, float("inf"))
    count = max(LEAST_STEPS, min(STEPS, int(SECONDS / max(seconds[-1], 1e-9))))
    losses, seconds = tries.run(reference, count, float("inf"))
    base = Trial(reference, min(seconds[WARM_UP:]), 0.0)
    trials = [base] if FP32 in kinds and EAGER in allowed else []
    if EAGER in allowed:
        eager = [ExecutionMode(kind, EAGER, last) for kind in kinds if kind != FP32]
        trials += [_tried(tries, one, losses, base.seconds) for one in eager]
    best = _fastest(trials) if trials else None
    chosen = [best.execution.precision] if best else kinds
    others = _repaid(allowed, best.seconds * steps if best else float("inf"))
    ways = [ExecutionMode(kind, mode, last) for kind in chosen for mode in others]
    trials += [_tried(tries, one, losses, base.seconds, patient=True) for one in ways]
    best = _fastest(trials)
    return best.execution.state() | {"why": _why(best, base, trials)}


def _repaid(allowed: Sequence[str], expected: float) -> list[str]:
    """The modes that are worth a try in a run of so many seconds."""
    return [mode for mode in allowed if mode != EAGER and expected >= REPAYS[mode]]


def _tried(
    tries: TrialRunner,
    execution: ExecutionMode,
    reference: list[float],
    base: float,
    patient: bool = False,
) -> Trial:
    """`patient` with the first steps, which compile."""
    try:
        most = float("inf") if patient else HOPELESS * base
        losses, seconds = tries.run(execution, len(reference), most)
    except NotFiniteError:
        return Trial(execution, float("inf"), float("inf"), "the loss became infinite")
    except Exception as error:  # noqa: BLE001  a compiler may fail in many ways
        warn(f"{execution} does not work here: {format_error(error)[:200]}")
        return Trial(execution, float("inf"), float("inf"), "failed")
    if len(losses) < len(reference):
        return Trial(execution, seconds[-1], float("inf"), "slow")
    return Trial(execution, min(seconds[WARM_UP:]), distance(losses, reference))


def distance(losses: Sequence[float], reference: Sequence[float]) -> float:
    """Mean distance of two loss curves, as a share of the second's mean."""
    apart = sum(abs(one - other) for one, other in zip(losses, reference, strict=True))
    return apart / max(sum(abs(other) for other in reference), 1e-30)


def _fastest(trials: Sequence[Trial]) -> Trial:
    """Raises `BaryonError` if none keeps the loss curve."""
    good = [trial for trial in trials if trial.distance <= CLOSE]
    if not good:
        reasons = ", ".join(f"{t.execution}: {t.failed or f'{t.distance:.0%}'}" for t in trials)
        raise BaryonError(
            f"no way to compute a step keeps the loss curve of float32 ({reasons}): choose "
            "train.precision=fp32 train.compile=never"
        )
    return min(good, key=lambda trial: trial.seconds)


def _why(best: Trial, base: Trial, trials: Sequence[Trial]) -> str:
    others = [trial for trial in trials if trial is not best]
    told_of = ", ".join(f"{trial.execution} {_result(trial)}" for trial in others)
    curve = "" if best is base else f", losses within {best.distance:.2%} of float32's"
    ahead = f"{best.seconds * 1e3:.1f} ms a step{curve}"
    return f"{ahead}; {told_of}" if told_of else ahead


def _result(trial: Trial) -> str:
    if trial.failed:
        return trial.failed
    if trial.distance > CLOSE:
        return f"changes the losses by {trial.distance:.0%}"
    return f"{trial.seconds * 1e3:.1f} ms"
