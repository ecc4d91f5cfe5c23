"""What all strategies have in common on a worker: layers leave, are exchanged, come back."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Any

import torch

from baryon.errors import BaryonError
from baryon.interfaces import Findings, Share, UpdateFactory
from baryon_comm.crew import Crew, say
from baryon_comm.findings import worker_findings
from baryon_comm.group.transport import BrokenGroupError
from baryon_comm.layers.checksum import checksum
from baryon_comm.layers.layer import split_into_layers
from baryon_comm.layers.outgoing import Outgoing
from baryon_comm.options import Options
from baryon_comm.server.link import farewell
from baryon_comm.strategy.strategy import Strategy, Team
from baryon_comm.times import Times
from baryon_comm.world.courier import FIRST, Patience, Ticket
from baryon_comm.world.layout import Layout
from baryon_comm.world.roll_call import COMPUTING
from baryon_comm.world.world import World


class Worker:
    """A worker rank; see `baryon.interfaces.Communicator`."""

    is_server = False

    def __init__(self, world: World, layout: Layout, strategy: Strategy, options: Options) -> None:
        self._world, self._layout, self._strategy, self._options = world, layout, strategy, options
        self._crew = Crew(world, layout, options)
        self._courier, self._group = self._crew.courier, self._crew.group
        self._crew.survives = world.tolerant and strategy.survives
        self._crew.repair = self._mend
        world.roll_call.doing = self._doing
        self._in_step = Patience(options.deadline_s, FIRST)
        self._tickets: list[Ticket] = []
        self._times = Times()
        self._expected: float | None = None
        self._stop = False
        self._completed = 0
        self._team: Team
        self._outgoing: Outgoing

    @property
    def leads(self) -> bool:
        """The first worker alive."""
        return self._crew.leads

    @property
    def share(self) -> Share:
        """By group, then by member."""
        return self._crew.share

    def exchange(self, value: Any) -> list[Any]:
        """Over all ranks."""
        everyone: list[Any] = self._crew.do(
            self._world.exchange(value), "the roll call at the start"
        )
        return everyone

    def start(self, model: torch.nn.Module, update: UpdateFactory) -> None:
        """All take the leader's weights; gradients leave from now on."""
        layers, parameters = split_into_layers(model)
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
            lambda: self.leads,
        )
        self._crew.do(self._group.connect(self._device), "connecting the group")
        weights = self.broadcast(_on_cpu(model.state_dict()) if self.leads else None)
        model.load_state_dict(weights)
        try:
            self._strategy.start(self._team, update)
        except self._world.mpi.Exception as error:
            raise self._world.failure("setting up the servers", error, self._layout) from error
        self._crew.awaited = self._strategy.awaited
        self._everybody(None)  # no gradient reaches a server that is not set up

    @property
    def _device(self) -> torch.device:
        return self._team.parameters[0][0].device

    def _doing(self) -> str:
        """For who calls the roll."""
        if not self._courier.awaited:
            return f"{COMPUTING} step {self._crew.now}"
        servers = ", ".join(f"rank {rank}" for rank in sorted(self._crew.awaited()))
        return f"waiting in step {self._crew.now}" + (f" for {servers}" if servers else "")

    def begin(self, step: int, samples: int, batch_size: int, *, stop: bool) -> None:
        """Arm the layers."""
        self._crew.step = step
        self._tickets, self._stop = [], stop
        self._strategy.begin(step, stop=stop)
        if not self._strategy.averages_gradients:
            return
        groups = self._crew.share.groups
        self._expected = batch_size / groups if self._layout.members > 1 else None
        scale = 1.0 if self._expected is None else samples / self._expected
        self._outgoing.arm(scale, samples, stop=stop)

    def _hand_in(self, layer: int) -> None:
        packet, step = self._outgoing.packets[layer], self._crew.step
        task = self._strategy.exchange(packet, step, self._expected)
        what = f"step {step + 1}: the exchange of layer {packet.layer.name}"
        self._tickets.append(self._courier.hand_in(task, what, self._in_step))

    def step(self) -> bool:
        """Wait for what is still under way, then take the new weights."""
        step = self._crew.step
        self._times.computed()
        if self._strategy.averages_gradients:
            self._outgoing.flush()
        if not self._exchanged():
            self._finish()
        self._crew.look_for_dead()
        self._completed = step + 1
        self._times.exchanged()
        self._check_weights()
        return self._strategy.stops(step, self._outgoing.packets)

    def _finish(self) -> None:
        try:
            self._strategy.finish(self._crew.step, self._outgoing.packets)
        except (self._world.mpi.Exception, BrokenGroupError) as error:
            self._crew.require_survival(error)
            raise

    def _exchanged(self) -> bool:
        """Wait for the exchange, again after each death; True if others had finished the step."""
        while True:
            try:
                self._courier.wait(self._tickets)
            except (self._world.mpi.Exception, BrokenGroupError) as error:
                self._crew.require_survival(error)
            else:
                return False
            if self._mend_group(self._crew.step):
                return True
            self._tickets = []
            self._strategy.begin(self._crew.step, stop=self._stop)
            for layer in range(len(self._outgoing.packets)):
                self._hand_in(layer)

    def _mend(self) -> None:
        """Between two steps."""
        self._mend_group(self._completed)

    def _mend_group(self, completed: int) -> bool:
        """After a member's death: the others go on. True if this one was a step behind.

        A member may have finished the step before it noticed; then all take its weights.
        """
        while True:
            self._group.break_up()
            if self._options.on_death == "drop":
                _leave_at_once(self._crew.number, self._world)
            self._crew.mend_group(self._device)
            try:
                return self._catch_up(completed)
            except (self._world.mpi.Exception, BrokenGroupError) as error:
                self._crew.require_survival(error)  # one more has died

    def _catch_up(self, completed: int) -> bool:
        reached = self._crew.attempt(self._group.tell(completed), "mending the group")
        if max(reached) == min(reached):
            return False
        self._crew.attempt(self._strategy.caught_up(reached.index(max(reached))), "catching up")
        if completed == max(reached):
            return False
        self._strategy.finish(self._crew.step, self._outgoing.packets)
        return True

    def _check_weights(self) -> None:
        """Members of a group must hold the same weights to the last bit."""
        every, step = self._options.check_every, self._crew.step
        if not every or self._completed % every or not self._strategy.in_step(step):
            return
        everyone = self._crew.together(self._group.circle, checksum(self._team.model))
        ranks = self._group.circle.ranks
        others = [ranks[n] for n, one in enumerate(everyone) if one != everyone[0]]
        if others:
            raise BaryonError(
                f"after step {step + 1} ranks {others} hold other weights than rank {ranks[0]} of "
                "their group: do they run other libraries?"
            )

    def settle(self) -> None:
        """The leader fetches the weights, all take them; buffers become their mean."""
        self._everybody(None)
        model = self._team.model
        while True:
            notes = self._crew.do(self._strategy.settle(), "fetching the weights")
            weights = _on_cpu(dict(model.named_parameters())) if self.leads and notes else None
            if (found := self._led((notes, weights))) is not None:
                break  # else the leader died, and another does it again
        notes, weights = found
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
        crew, own = self._crew, dict(values)
        everyone = crew.together(self._group.circle, own) if in_group else self._everybody(own)
        total: dict[str, float] = {}
        for one in everyone:
            for name, value in one.items():
                total[name] = total.get(name, 0.0) + value
        self._times.reset()
        return total

    def _everybody(self, value: Any) -> list[Any]:
        """All workers' values. The wait for the others is no part of the step that follows."""
        everyone = self._crew.everybody(value)
        self._times.reset()
        return everyone

    def gather(self, value: Any) -> list[Any]:
        """On the leader."""
        everyone = self._everybody(value)
        return everyone if self.leads else []

    def broadcast(self, value: Any) -> Any:
        """From the leader."""
        found = self._led((value,))
        if found is None:
            raise BaryonError(
                "the first worker died while the others waited for its word: start the run again, "
                "or go on with `baryon resume run=<dir>`"
            )
        return found[0]

    def _led(self, value: Any) -> Any:
        """The leader's value on all workers; None if it has just died."""
        everyone = self._everybody(value if self.leads else None)
        return next((one for one in everyone if one is not None), None)

    def measures(self) -> dict[str, float]:
        """Times, and the strategy's own."""
        return {**self._times.read(), **self._strategy.measures()}

    def findings(self) -> Findings:
        """Who was slow, who died, and the strategy's own."""
        crew = self._crew
        everyone = self.gather({"who": crew.name, "faults": crew.faults, **self._times.total()})
        if not self.leads:
            return Findings()
        own = crew.do(self._strategy.findings(), "asking the servers")
        dead = {r: self._world.name(r, self._layout) for r in sorted(self._world.dead())}
        return worker_findings(everyone, dead, own)

    def state_dict(self) -> dict[str, Any]:
        """Of the strategy; nobody goes on before the leader has it."""
        while True:
            state = None
            if self.leads:
                state = self._crew.do(self._strategy.state(), "collecting the state")
            if any(self._everybody(state is not None)):
                return state or {}  # else the leader died, and another does it again

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """On every worker; nobody goes on before all have it."""
        self._crew.do(self._strategy.load(state), "loading the state")
        self._everybody(None)

    def serve(self) -> None:
        """Servers do."""

    def abort(self, message: str) -> None:
        """End the job."""
        self._world.abort(message)

    def close(self) -> None:
        """Farewell, then all leave together."""
        self._crew.do(farewell(self._world, self._layout.server_ranks()), "leaving")
        self._crew.do(self._world.leave(), "leaving")
        self._courier.close()


def _on_cpu(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in state.items()}


def _leave_at_once(group: int, world: World) -> None:
    """With comm.on_death=drop a group that lost a worker leaves as a whole: as if all had died."""
    say(f"rank {world.rank} leaves: group {group} lost a worker and comm.on_death=drop")
    os.kill(os.getpid(), signal.SIGKILL)
