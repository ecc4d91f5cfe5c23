"""Check on every rank what the contract promises of a communicator.

`baryon.testing.communicator` starts the ranks; each of them runs `main`.
"""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from baryon.config.option_values import option_values
from baryon.data.sampling import part_of
from baryon.interfaces import Communicator
from baryon.plugins.answers import checked_findings, numbers
from baryon.plugins.components import Choice, prepare
from baryon.plugins.registry import discover
from baryon.testing.requirement import require
from baryon.testing.toy_training import SAMPLES, STEPS, Toy, learn, learn_alone, one_step, start

MANY_STEPS = 150
"""Enough for the loss to fall by a third under any strategy."""
TOLERANCE = 1e-5
"""Largest difference of weights that sums in another order may make."""
SECONDS_TO_ABORT = 5.0

Check = Callable[[Communicator], None]


# The first line of each check's docstring stands in the message of its failure.


def roles(comm: Communicator) -> None:
    """Shares are disjoint and whole; one worker leads."""
    entries = [(comm.shard, comm.is_leader, part_of(np.arange(100), comm.shard).tolist())]
    workers = comm.gather(entries)
    if comm.is_leader:
        rows = sorted(row for entries in workers for _, _, part in entries for row in part)
        require(rows == list(range(100)), "the workers' shares are not the whole batch")
        leaders = sum(leads for entries in workers for _, leads, _ in entries)
        require(leaders == 1, f"{leaders} workers lead, not one")


def collectives(comm: Communicator) -> None:
    """Sums are over all workers or the group; gather and broadcast keep to the leader."""
    received = comm.broadcast("leader" if comm.is_leader else "other")
    require(received == "leader", "broadcast does not give the leader's value")
    shard = comm.shard
    workers = len(comm.broadcast(comm.gather(shard)))
    require(
        workers == shard.num_groups * shard.group_size, "gather does not give every worker's value"
    )
    total = comm.all_reduce_sum({"one": 1.0, "number": float(shard.group)})
    require(total["one"] == workers, "all_reduce_sum does not sum over all workers")
    in_group = comm.all_reduce_sum({"one": 1.0}, in_group=True)["one"]
    require(in_group == shard.group_size, "all_reduce_sum(in_group=True) is not the group's sum")


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
    learn(toy, comm, steps=MANY_STEPS)
    comm.synchronize()
    _require_alike(comm, toy.weights(), "after synchronize")
    after = toy.loss(range(SAMPLES)).item()
    require(
        after < 0.7 * before,
        f"the loss went from {before:.3f} to {after:.3f} in {MANY_STEPS} steps",
    )
    numbers("metrics()", comm.metrics())
    summary = comm.summary()
    if comm.is_leader:
        checked_findings("the communicator", summary)


def small_batches(comm: Communicator) -> None:
    """A batch with fewer samples than workers leaves some without: they take part all the same."""
    toy = Toy()
    start(toy, comm)
    learn(toy, comm, size=1)
    comm.synchronize()
    _require_alike(comm, toy.weights(), "after batches of one sample")
    require(bool(torch.isfinite(toy.weights()).all()), "batches of one sample gave nan")


def stops(comm: Communicator) -> None:
    """When the last worker asks to stop, all stop after the same step."""
    toy = Toy()
    start(toy, comm)
    shard = comm.shard
    last = (shard.group, shard.rank) == (shard.num_groups - 1, shard.group_size - 1)
    step = 0
    while not one_step(toy, comm, step, stop=last and step >= 3):
        step += 1
        require(step < 1000, "nobody stops though a worker asks for it")
    steps = comm.gather(step)
    require(len(set(steps)) <= 1, f"workers stop after different steps: {steps}")


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
    held = set(saved.get("optimizer", {}))
    require(held == names, f"state_dict()['optimizer'] has {sorted(held)}, not {sorted(names)}")
    weights = toy.weights()
    comm.load_state_dict(saved)
    comm.synchronize()
    require(torch.equal(weights, toy.weights()), "loading a state changes the weights")
    loaded = comm.broadcast(comm.state_dict())["optimizer"]
    for name in names:
        for key, value in saved["optimizer"][name].items():
            same = torch.allclose(torch.as_tensor(value), torch.as_tensor(loaded[name][key]))
            require(same, f"{key} of {name} is not what was loaded")


def like_serial(comm: Communicator) -> None:
    """The weights of one process on the union batch, last batch smaller."""
    toy, reference = Toy(), Toy()
    start(toy, comm)
    learn(toy, comm)
    learn(toy, comm, first=STEPS, steps=1, size=7)
    comm.synchronize()
    update = learn_alone(reference)
    reference.loss(reference.rows(STEPS, 7)).backward()  # type: ignore[no-untyped-call]
    update.apply(STEPS)
    difference = float((toy.weights() - reference.weights()).abs().max())
    require(
        difference < TOLERANCE,
        f"weights differ by {difference:.2g} from one process on the union batch",
    )


CHECKS: tuple[Check, ...] = (
    roles, collectives, first_weights, lockstep, small_batches, stops, state,
)  # fmt: skip


def _require_alike(comm: Communicator, weights: torch.Tensor, when: str) -> None:
    copies = comm.gather(weights.numpy().tobytes())
    require(len(set(copies)) <= 1, f"workers hold different weights {when}")


def run_check(
    check: Check, make: Callable[[], Communicator], reasons: Path, seconds: float
) -> None:
    """Run one check with a communicator of its own, as a run has it.

    A check that fails, or takes more than `seconds`, ends the process with exit code 1 and its
    reason in the file `reasons`.
    """
    comm = make()
    with _reporting(check, comm, reasons, seconds):
        ranks = comm.all_gather_object("rank")
        require(set(ranks) == {"rank"}, "all_gather_object does not give every rank's value")
        if comm.is_server:
            comm.serve()
        else:
            check(comm)
        comm.close()


@contextmanager
def _reporting(check: Check, comm: Communicator, reasons: Path, seconds: float) -> Iterator[None]:
    title = f"{check.__name__} ({(check.__doc__ or '').splitlines()[0]})"

    def hung() -> None:
        if not reasons.exists():
            reasons.write_text(f"{title}: not done in {seconds:g} s, some rank waits for ever")
        os._exit(1)

    timer = threading.Timer(seconds, hung)
    timer.start()
    try:
        yield
    except Exception as error:  # noqa: BLE001  written down: the rank ends here
        text = f"{title}: {error}"
        reasons.write_text(text, encoding="utf-8")
        timer.cancel()
        # A communicator that fails may well fail to abort.
        threading.Timer(SECONDS_TO_ABORT, os._exit, (1,)).start()
        comm.abort(text)
        os._exit(1)
    timer.cancel()


def main(name: str, task: str, reasons: str) -> None:
    """Run all checks on this rank; `task` is the JSON that `check_communicator` gives."""
    torch.set_num_threads(1)
    settings = json.loads(task)
    plugins = discover()
    values = option_values(f"comm={name}", "comm", name, plugins)
    name = values.pop("name", name)
    make = prepare(plugins, Choice("comm", name, {**values, **settings["options"]}))
    checks = [*CHECKS, like_serial] if settings["like_serial"] else CHECKS
    for check in checks:
        run_check(check, make, Path(reasons), settings["seconds"])
