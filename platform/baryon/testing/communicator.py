"""The contract of a communicator as checks that really run on several ranks.

In the test of a plugin that brings one:

    from baryon.testing import check_communicator

    def test_mine():
        check_communicator("my_comm", ranks=3, options={"groups": 1})

The checks run under mpiexec, or in one process for `ranks=1`. What fails is an `AssertionError`
that names the check, the rank and the reason.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import mse_loss

from baryon.config.config import option_values
from baryon.config.schemas import Train
from baryon.data.sampling import part_of
from baryon.interfaces import Communicator, OptimizerStep
from baryon.launch.child_python import child_python
from baryon.launch.mpiexec import launch_command, launch_environment
from baryon.plugins.answers import checked_findings, numbers
from baryon.plugins.components import Choice, prepare
from baryon.plugins.registry import discover
from baryon.training.optimizers import ScheduledOptimizerFactory

SAMPLES, BATCH, STEPS, ENOUGH = 60, 12, 10, 150
CLOSE = 1e-5
RANK = "import sys; from baryon.testing.communicator import main; main(*sys.argv[1:])"
"""What each rank runs."""
SECONDS_TO_ABORT = 5.0

Make = Callable[[], Communicator]


def check_communicator(
    name: str,
    *,
    ranks: int,
    options: Mapping[str, Any] | None = None,
    like_serial: bool = False,
    seconds: float = 60.0,
) -> None:
    """All that a communicator must be, on so many ranks with these options.

    `like_serial`: it promises the weights of one process on the union of the workers' batches, to
    float tolerance. `seconds`: after which a check counts as hung. Raises `AssertionError`.
    """
    with tempfile.TemporaryDirectory() as folder:
        reasons = Path(folder) / "reasons"
        told = {"options": dict(options or {}), "like_serial": like_serial, "seconds": seconds}
        task = [name, json.dumps(told), str(reasons)]
        command = child_python("-c", RANK, *task)
        if ranks > 1:
            command = launch_command(ranks, command)
        most = (len(CHECKS) + 2) * seconds
        code, said = _run(command, launch_environment(ranks), reasons, most)
        found = reasons.read_text(encoding="utf-8") if reasons.is_file() else said[-2000:]
        if code or reasons.is_file():  # mpiexec that spares survivors may say 0
            raise AssertionError(f"communicator {name!r} on {ranks} ranks: {found.strip()}")


def _run(
    command: Sequence[str], environment: Mapping[str, str], reasons: Path, most: float
) -> tuple[int, str]:
    """Exit code, and what came on the standard error; after `most` seconds all is ended.

    Open MPI 5.0.11's mpiexec may wait for ever for ranks that have all gone, when two of them have
    called MPI_Abort at once: it is ended soon after a fault was found.
    """
    until = time.monotonic() + most
    with subprocess.Popen(  # noqa: S603
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that the ranks are ended with it
    ) as process:
        while True:
            try:
                said = process.communicate(timeout=min(most, 2 * SECONDS_TO_ABORT))[1]
            except subprocess.TimeoutExpired:
                if time.monotonic() > until and not reasons.exists():
                    reasons.write_text(f"not done in {most:g} s: the ranks hang, or never began")
                if reasons.is_file():
                    _end(process)
            except BaseException:
                _end(process)
                raise
            else:
                return process.returncode, said


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def train(**changes: Any) -> Train:
    """How the checks learn: SGD with momentum."""
    settings = {
        "epochs": 1,
        "steps": None,
        "batch_size": BATCH,
        "optimizer": "sgd",
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "momentum": 0.9,
        "beta2": 0.999,
        "nesterov": False,
        "schedule": "constant",
        "warmup_steps": 0,
        "step_epochs": 1,
        "step_factor": 1.0,
        "clip_norm": None,
        "device": "cpu",
        "precision": "fp32",
        "compile": "never",
        "channels_last": False,
        "micro_batch": None,
        "memory_gib": None,
        "activation_checkpointing": False,
        "nonfinite": "stop",
        "validate_every_epochs": 1,
        "checkpoint_every_steps": 1,
        "keep_checkpoints": 1,
        "shard_gib": 1.0,
        "weights": "last",
        "log_every_steps": 1,
        "profile": False,
    }
    return Train(**(settings | changes))


class Toy:
    """A small regression that every rank can make by itself: model, samples, loss."""

    def __init__(self, model_seed: int = 1, device: torch.device | str = "cpu") -> None:
        torch.manual_seed(model_seed)
        self.model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 8), nn.Linear(8, 2))
        random = torch.Generator().manual_seed(7)
        self.inputs = torch.randn(SAMPLES, 6, generator=random)
        self.targets = self.inputs[:, :2] * 2 - 1
        self.model.to(device)
        self.inputs, self.targets = self.inputs.to(device), self.targets.to(device)

    def rows(self, step: int, size: int = BATCH) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The union batch of a step."""
        return (np.arange(size) + step * BATCH) % SAMPLES

    def loss(self, rows: Any) -> torch.Tensor:
        """Mean over the samples."""
        return mse_loss(self.model(self.inputs[rows]), self.targets[rows])

    def weights(self) -> torch.Tensor:
        """All of them, flat."""
        flat: list[torch.Tensor] = [p.detach().cpu().flatten() for p in self.model.parameters()]
        return torch.cat(flat)


def learn(
    toy: Toy, comm: Communicator, first: int = 0, steps: int = STEPS, *, size: int = BATCH
) -> None:
    """Train steps `first`.. on this worker's share; `size` samples of `BATCH` in every batch."""
    for step in range(first, first + steps):
        one_step(toy, comm, step, size=size)


def one_step(
    toy: Toy, comm: Communicator, step: int, *, size: int = BATCH, stop: bool = False
) -> bool:
    """As the training loop does it."""
    rows = part_of(toy.rows(step, size), comm.shard)
    comm.begin(step, len(rows), BATCH, stop=stop)
    if len(rows):
        toy.loss(rows).backward()  # type: ignore[no-untyped-call]
    return comm.step()


def alone(toy: Toy, first: int = 0, steps: int = STEPS, *, size: int = BATCH) -> OptimizerStep:
    """The same by one process without a communicator."""
    update: OptimizerStep = ScheduledOptimizerFactory(train(), STEPS, STEPS)(toy.model.parameters())
    for step in range(first, first + steps):
        toy.loss(toy.rows(step, size)).backward()  # type: ignore[no-untyped-call]
        update.apply(step)
    return update


def start(toy: Toy, comm: Communicator) -> None:
    """With the checks' optimizer."""
    comm.start(toy.model, ScheduledOptimizerFactory(train(), STEPS, STEPS))


def roles(comm: Communicator) -> None:
    """Shares are disjoint and whole; one worker leads."""
    components = [(comm.shard, comm.is_leader, part_of(np.arange(100), comm.shard).tolist())]
    everyone = comm.gather(components)
    if comm.is_leader:
        together = sorted(row for one in everyone for _, _, rows in one for row in rows)
        _require(together == list(range(100)), "the workers' shares are not the whole batch")
        leaders = sum(leads for one in everyone for _, leads, _ in one)
        _require(leaders == 1, f"{leaders} workers lead, not one")


def words(comm: Communicator) -> None:
    """Sums are over all workers or the group; gather and broadcast keep to the leader."""
    said = comm.broadcast("mine" if comm.is_leader else "theirs")
    _require(said == "mine", "broadcast does not give the leader's value")
    shard = comm.shard
    workers = len(comm.broadcast(comm.gather(shard)))
    _require(
        workers == shard.num_groups * shard.group_size, "gather does not give every worker's value"
    )
    total = comm.all_reduce_sum({"one": 1.0, "number": float(shard.group)})
    _require(total["one"] == workers, "all_reduce_sum does not sum over all workers")
    inside = comm.all_reduce_sum({"one": 1.0}, in_group=True)["one"]
    _require(inside == shard.group_size, "all_reduce_sum(in_group=True) is not the group's sum")


def first_weights(comm: Communicator) -> None:
    """After start all workers hold the leader's weights."""
    toy = Toy(model_seed=1 if comm.is_leader else 2)
    start(toy, comm)
    _require_alike(comm, toy.weights(), "after start")


def lockstep(comm: Communicator) -> None:
    """After synchronize all workers hold the same weights, and they have learnt."""
    toy = Toy()
    start(toy, comm)
    before = toy.loss(range(SAMPLES)).item()
    learn(toy, comm, steps=ENOUGH)
    comm.synchronize()
    _require_alike(comm, toy.weights(), "after synchronize")
    after = toy.loss(range(SAMPLES)).item()
    _require(
        after < 0.7 * before, f"the loss went from {before:.3f} to {after:.3f} in {ENOUGH} steps"
    )
    numbers("metrics()", comm.metrics())
    findings = comm.summary()
    if comm.is_leader:
        checked_findings("the communicator", findings)


def small_batches(comm: Communicator) -> None:
    """A batch with fewer samples than workers leaves some without: they take part all the same."""
    toy = Toy()
    start(toy, comm)
    learn(toy, comm, size=1)
    comm.synchronize()
    _require_alike(comm, toy.weights(), "after batches of one sample")
    _require(bool(torch.isfinite(toy.weights()).all()), "batches of one sample gave nan")


def stops(comm: Communicator) -> None:
    """When the last worker asks to stop, all stop after the same step."""
    toy = Toy()
    start(toy, comm)
    shard = comm.shard
    last = (shard.group, shard.rank) == (shard.num_groups - 1, shard.group_size - 1)
    step = 0
    while not one_step(toy, comm, step, stop=last and step >= 3):
        step += 1
        _require(step < 1000, "nobody stops though a worker asks for it")
    everyone = comm.gather(step)
    _require(len(set(everyone)) <= 1, f"workers stop after different steps: {everyone}")


def state(comm: Communicator) -> None:
    """The state holds the optimizer's by parameter name, and goes through a checkpoint."""
    toy = Toy()
    start(toy, comm)
    learn(toy, comm)
    comm.synchronize()
    saved = comm.broadcast(comm.state_dict())
    file = io.BytesIO()
    torch.save(saved, file)
    file.seek(0)
    torch.load(file, weights_only=True)  # as a checkpoint is read: no code is run
    names = {name for name, _ in toy.model.named_parameters()}
    found = set(saved.get("optimizer", {}))
    _require(found == names, f"state_dict()['optimizer'] has {sorted(found)}, not {sorted(names)}")
    weights = toy.weights()
    comm.load_state_dict(saved)
    comm.synchronize()
    _require(torch.equal(weights, toy.weights()), "loading a state changes the weights")
    again = comm.broadcast(comm.state_dict())["optimizer"]
    for name in names:
        for key, value in saved["optimizer"][name].items():
            same = torch.allclose(torch.as_tensor(value), torch.as_tensor(again[name][key]))
            _require(same, f"{key} of {name} is not what was loaded")


def like_serial(comm: Communicator) -> None:
    """The weights of one process on the union batch, last batch smaller."""
    toy, reference = Toy(), Toy()
    start(toy, comm)
    learn(toy, comm)
    learn(toy, comm, first=STEPS, steps=1, size=7)
    comm.synchronize()
    update = alone(reference)
    reference.loss(reference.rows(STEPS, 7)).backward()  # type: ignore[no-untyped-call]
    update.apply(STEPS)
    apart = float((toy.weights() - reference.weights()).abs().max())
    _require(apart < CLOSE, f"weights differ by {apart:.2g} from one process on the union batch")


CHECKS = (roles, words, first_weights, lockstep, small_batches, stops, state)


def _require(holds: bool, fault: str) -> None:
    if not holds:
        raise AssertionError(fault)


def _require_alike(comm: Communicator, weights: torch.Tensor, when: str) -> None:
    everyone = comm.gather(weights.numpy().tobytes())
    _require(len(set(everyone)) <= 1, f"workers hold different weights {when}")


@contextmanager
def _saying(
    check: Callable[..., None], comm: Communicator, reasons: Path, seconds: float
) -> Iterator[None]:
    what = f"{check.__name__} ({(check.__doc__ or '').splitlines()[0]})"

    def hung() -> None:
        if not reasons.exists():
            reasons.write_text(f"{what}: not done in {seconds:g} s, some rank waits for ever")
        os._exit(1)

    timer = threading.Timer(seconds, hung)
    timer.start()
    try:
        yield
    except Exception as error:  # noqa: BLE001  said and done with: the rank ends here
        text = f"{what}: {error}"
        reasons.write_text(text, encoding="utf-8")
        timer.cancel()
        threading.Timer(SECONDS_TO_ABORT, os._exit, (1,)).start()
        comm.abort(text)
        os._exit(1)
    timer.cancel()


def run_check(
    check: Callable[[Communicator], None], make: Make, reasons: Path, seconds: float
) -> None:
    """One check with a communicator of its own, as a run has it."""
    comm = make()
    with _saying(check, comm, reasons, seconds):
        ranks = comm.all_gather_object("here")
        _require(set(ranks) == {"here"}, "all_gather_object does not give every rank's value")
        if comm.is_server:
            comm.serve()
        else:
            check(comm)
        comm.close()


def main(name: str, task: str, reasons: str) -> None:
    """On every rank."""
    torch.set_num_threads(1)
    told = json.loads(task)
    plugins = discover()
    values = option_values(f"comm={name}", "comm", name, plugins)
    name = values.pop("name", name)
    make = prepare(plugins, Choice("comm", name, {**values, **told["options"]}))
    checks = [*CHECKS, like_serial] if told["like_serial"] else CHECKS
    for check in checks:
        run_check(check, make, Path(reasons), told["seconds"])
