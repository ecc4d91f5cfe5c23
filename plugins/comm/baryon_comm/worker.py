"""What all strategies have in common on a worker: layers leave, are exchanged, come back."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

import torch

from baryon.errors import BaryonError
from baryon.interfaces import Findings, Share, UpdateFactory
from baryon_comm.findings import worker_findings
from baryon_comm.group.group import Group
from baryon_comm.layers.checksum import checksum
from baryon_comm.layers.layer import split_into_layers
from baryon_comm.layers.outgoing import Outgoing
from baryon_comm.options import Options
from baryon_comm.server.link import farewell
from baryon_comm.strategy.strategy import Strategy, Team
from baryon_comm.times import Times
from baryon_comm.world.circle import BrokenCircleError, Circle
from baryon_comm.world.courier import Courier, LateError, Patience, Task, Ticket
from baryon_comm.world.layout import Layout
from baryon_comm.world.world import SECONDS_OF_ROLL_CALL, World

LAG = 4.0  # a group may be so many times as slow as the fastest
FIRST = 10.0  # at first libraries are loaded and files are read


class Worker:
    """A worker rank; see `baryon.interfaces.Communicator`."""

    is_server = False

    def __init__(self, world: World, layout: Layout, strategy: Strategy, options: Options) -> None:
        self._world, self._layout, self._strategy, self._options = world, layout, strategy, options
        self._courier = Courier(world.end_if_aborted)
        self._in_step = Patience(options.deadline_s, FIRST)
        self._in_all = Patience(options.deadline_s, FIRST)
        number = layout.group_of(world.rank)
        self._all = Circle(world.mpi, world.comm.Split(0, world.rank), tolerant=world.tolerant)
        own = world.comm.Split(number, world.rank)
        self._group = Group(world, own, options.transport, options.wire)
        self._number = number
        self._groups = list(range(layout.groups))
        self._tickets: list[Ticket] = []
        self._times = Times()
        self._step = 0
        self._expected: float | None = None
        self._completed = 0
        self._met = time.monotonic()
        self._faults: dict[int, dict[str, Any]] = {}
        self._team: Team
        self._outgoing: Outgoing

    @property
    def leads(self) -> bool:
        """The first worker alive."""
        return self._all.rank == 0

    @property
    def share(self) -> Share:
        """By group, then by member."""
        return Share(
            self._groups.index(self._number),
            len(self._groups),
            self._group.member,
            len(self._group),
        )

    def exchange(self, value: Any) -> list[Any]:
        """Over all ranks."""
        everyone: list[Any] = self._do(self._world.exchange(value), "the roll call at the start")
        return everyone

    def start(self, model: torch.nn.Module, update: UpdateFactory) -> None:
        """All take the leader's weights; gradients leave from now on."""
        layers, parameters = split_into_layers(model)
        device = parameters[0][0].device
        self._outgoing = Outgoing(layers, parameters, self._hand_in, early=self._options.overlap)
        self._team = Team(
            self._world,
            self._layout,
            self._group,
            self._courier,
            self._in_step,
            model,
            layers,
            parameters,
            self.leads,
        )
        self._do(self._group.connect(device), "connecting the group")
        weights = self.broadcast(_on_cpu(model.state_dict()) if self.leads else None)
        model.load_state_dict(weights)
        self._strategy.start(self._team, update)
        self._everybody(None)  # no gradient reaches a server that is not set up
        self._times.reset()

    def begin(self, step: int, samples: int, batch_size: int, *, stop: bool) -> None:
        """Arm the layers."""
        self._step = step
        self._tickets = []
        self._strategy.begin(step, stop=stop)
        if not self._strategy.averages_gradients:
            return
        self._expected = batch_size / len(self._groups) if self._layout.members > 1 else None
        scale = 1.0 if self._expected is None else samples / self._expected
        self._outgoing.arm(scale, samples, stop=stop)

    def _hand_in(self, layer: int) -> None:
        packet = self._outgoing.packets[layer]
        task = self._strategy.exchange(packet, self._step, self._expected)
        what = f"step {self._step}: the exchange of layer {packet.layer.name}"
        self._tickets.append(self._courier.hand_in(task, what, self._in_step))

    def step(self) -> bool:
        """Wait for what is still under way, then take the new weights."""
        self._times.computed()
        if self._strategy.averages_gradients:
            self._outgoing.flush()
        if not self._exchanged():
            self._finish()
        self._completed = self._step + 1
        self._times.exchanged()
        self._check_weights()
        return self._strategy.stops(self._step, self._outgoing.packets)

    def _finish(self) -> None:
        try:
            self._strategy.finish(self._step, self._outgoing.packets)
        except self._world.mpi.Exception as error:
            self._require_survival(error)
            raise

    def _exchanged(self) -> bool:
        """Wait for the exchange, again after each death; True if others had finished the step."""
        while True:
            try:
                self._courier.wait(self._tickets)
            except self._world.mpi.Exception as error:
                self._require_survival(error)
            except LateError as late:
                raise self._who_is_late(late, self._group.circle) from late
            else:
                return False
            if self._mend_group(completed=self._step):
                return True
            self._tickets = []
            for layer in range(len(self._outgoing.packets)):
                self._hand_in(layer)

    def _require_survival(self, error: Exception) -> None:
        """Raise unless the strategy goes on without the dead."""
        dead = self._world.dead()
        if dead and self._world.tolerant and self._strategy.survives:
            return
        names = ", ".join(self._world.name(rank, self._layout) for rank in sorted(dead))
        if not dead:
            raise BaryonError(f"MPI failed in step {self._step}: {error}") from error
        raise BaryonError(
            f"{names} died in step {self._step}: this strategy goes on with all ranks or none; the "
            "last checkpoint is intact, go on with `baryon resume run=<dir>`"
        ) from error

    def _mend_group(self, completed: int) -> bool:
        """After a member's death: the others go on. True if this one was a step behind.

        A member may have finished the step before it noticed; then all take its weights.
        """
        self._group.break_up()
        for ticket in self._tickets:
            ticket.done.wait(self._options.deadline_s)
        before = self._group.circle.ranks
        if self._options.on_death == "drop":
            _leave_at_once(self._number, self._world)
        self._do(self._group.circle.mend(), "mending the group")
        device = self._team.parameters[0][0].device
        self._do(self._group.connect(device), "connecting the group")
        self._note_dead(set(before) - set(self._group.circle.ranks), completed)
        reached = self._do(self._group.circle.raw_gather(completed), "mending the group")
        if max(reached) == min(reached):
            return False
        self._do(self._strategy.caught_up(reached.index(max(reached))), "catching up")
        if completed == max(reached):
            return False
        self._strategy.finish(self._step, self._outgoing.packets)
        return True

    def _note_dead(self, ranks: set[int], step: int) -> None:
        for rank in sorted(ranks - self._faults.keys()):
            name = self._world.name(rank, self._layout)
            self._faults[rank] = {"who": name, "step": step}
            if self._group.member == 0 and rank in self._group_ranks():
                left = len(self._group)
                text = f"{name} died in step {step}: its group goes on with {left} of its workers"
                print(f"warning: {text}", file=sys.stderr, flush=True)  # noqa: T201

    def _group_ranks(self) -> range:
        first = self._number * self._layout.members
        return range(first, first + self._layout.members)

    def _who_is_late(self, late: LateError, circle: Circle) -> BaryonError:
        """Those who do not answer a roll call; everybody who waits takes part in it."""
        dead = self._world.dead()
        ranks = [rank for rank in circle.ranks if rank not in dead]
        absent = sorted(self._strategy.awaited() - dead)
        if not absent and not self._courier.stuck:
            call = self._world.absent(ranks, self._step)
            absent = self._courier.do(call, "calling the roll", Patience(10 * SECONDS_OF_ROLL_CALL))
        names = ", ".join(self._world.name(rank, self._layout) for rank in absent)
        who = f"{names} did not come" if absent else "a rank that it waits for does not answer"
        return BaryonError(
            f"{late}: {who}; hung or stopped? look at it, then go on with `baryon resume run=<dir>`"
            " (comm.deadline_s is the shortest deadline)"
        )

    def _check_weights(self) -> None:
        """Members of a group must hold the same weights to the last bit."""
        every = self._options.check_every
        if not every or self._completed % every or not self._strategy.in_step(self._step):
            return
        everyone = self._together(self._group.circle, checksum(self._team.model))
        others = [
            self._group.circle.ranks[n] for n, one in enumerate(everyone) if one != everyone[0]
        ]
        if others:
            raise BaryonError(
                f"after step {self._step} ranks {others} hold other weights than rank "
                f"{self._group.circle.ranks[0]} of their group: do they run other libraries?"
            )

    def settle(self) -> None:
        """The leader fetches the weights, all take them; buffers become their mean."""
        self._everybody(None)
        model = self._team.model
        notes = self._do(self._strategy.settle(), "fetching the weights")
        weights = _on_cpu(dict(model.named_parameters())) if self.leads and notes else None
        notes, weights = self.broadcast((notes, weights))
        if notes is not None:
            with torch.no_grad():
                for name, parameter in model.named_parameters():
                    parameter.copy_(weights[name])
            self._strategy.settled(notes)
        self._average_buffers(model)

    def _average_buffers(self, model: torch.nn.Module) -> None:
        """Running statistics, of which each worker saw its share."""
        own = {name: buffer for name, buffer in model.named_buffers() if buffer.is_floating_point()}
        if not own:
            return
        everyone = self._everybody(_on_cpu(own))
        for name, buffer in own.items():
            buffer.copy_(torch.stack([one[name] for one in everyone]).mean(dim=0))

    def agree(self, values: Mapping[str, float], *, in_group: bool = False) -> dict[str, float]:
        """Sums in rank order, so they are the same on all."""
        circle = self._group.circle if in_group else self._all
        total: dict[str, float] = {}
        for one in self._together(circle, dict(values)):
            for name, value in one.items():
                total[name] = total.get(name, 0.0) + value
        self._times.reset()
        return total

    def gather(self, value: Any) -> list[Any]:
        """On the leader."""
        everyone = self._everybody(value)
        return everyone if self.leads else []

    def broadcast(self, value: Any) -> Any:
        """From the leader."""
        return self._everybody(value if self.leads else None)[0]

    def measures(self) -> dict[str, float]:
        """Times, and the strategy's own."""
        return {**self._times.read(), **self._strategy.measures()}

    def findings(self) -> Findings:
        """Who was slow, who died, and the strategy's own."""
        names = self._world.name(self._world.rank, self._layout)
        everyone = self.gather({"who": names, "faults": self._faults, **self._times.total()})
        if not self.leads:
            return Findings()
        own = self._do(self._strategy.findings(), "asking the servers")
        dead = {r: self._world.name(r, self._layout) for r in sorted(self._world.dead())}
        return worker_findings(everyone, dead, own)

    def state_dict(self) -> dict[str, Any]:
        """Of the strategy; nobody goes on before the leader has it."""
        state = self._do(self._strategy.state(), "collecting the state") if self.leads else {}
        self._everybody(None)
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """On every worker; nobody goes on before all have it."""
        self._do(self._strategy.load(state), "loading the state")
        self._everybody(None)

    def serve(self) -> None:
        """Servers do."""

    def abort(self, message: str) -> None:
        """End the job."""
        self._world.abort(message)

    def close(self) -> None:
        """Farewell, then all leave together."""
        self._do(farewell(self._world, self._layout.server_ranks()), "leaving")
        self._do(self._world.leave(), "leaving")
        self._courier.close()

    def _do(self, task: Task, what: str) -> Any:
        try:
            return self._courier.do(task, what, self._in_all)
        except LateError as late:
            raise self._who_is_late(late, self._all) from late

    def _everybody(self, value: Any) -> list[Any]:
        return self._together(self._all, value)

    def _together(self, circle: Circle, value: Any) -> list[Any]:
        """Every member's value; those who survive a death do it again."""
        while True:
            try:
                everyone: list[Any] = self._courier.do(
                    circle.gather(value), "waiting for the other workers", self._patience(circle)
                )
            except LateError as late:
                raise self._who_is_late(late, circle) from late
            except BrokenCircleError as error:
                self._require_survival(error)
                if self._group.broken:
                    self._mend_group(self._completed)
                if circle is self._all:
                    self._mend_all()
            else:
                self._met = time.monotonic()
                return everyone

    def _patience(self, circle: Circle) -> Patience:
        """Between groups, one may be slower: as late as `LAG` times the way that this one had."""
        since = LAG * (time.monotonic() - self._met) if circle is self._all else 0.0
        return Patience(max(self._options.deadline_s, since))

    def _mend_all(self) -> None:
        """The survivors of all groups go on."""
        before = set(self._all.ranks)
        self._do(self._all.mend(), "mending the world")
        self._groups = sorted({self._layout.group_of(rank) for rank in self._all.ranks})
        self._team.leads = self.leads
        self._note_dead(before - set(self._all.ranks), self._completed)


def _on_cpu(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in state.items()}


def _leave_at_once(group: int, world: World) -> None:
    """With comm.on_death=drop a group that lost a worker leaves as a whole: as if all had died."""
    text = f"rank {world.rank} leaves: group {group} lost a worker and comm.on_death=drop"
    print(f"warning: {text}", file=sys.stderr, flush=True)  # noqa: T201
    os.kill(os.getpid(), signal.SIGKILL)
