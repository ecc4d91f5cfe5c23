"""Gradients on their way out: packed layer by layer while backward still runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from baryon_comm.layers.layer import Layer, packets_for

Leave = Callable[[int], None]


class Outgoing:
    """Packs each layer as its gradients are complete, and lets the layers leave in fixed order.

    All ranks must let them leave in the same order, so it is that of `layers`, not that in which
    backward happens to come to them.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        parameters: Sequence[Sequence[torch.nn.Parameter]],
        leave: Leave,
        *,
        early: bool,
    ) -> None:
        """`leave` is called with each layer in turn; only by `flush` if not `early`."""
        self.packets = packets_for(layers, parameters)
        self._parameters = parameters
        self._leave = leave
        self._early = early
        self.armed = False
        self._tail = (0.0, 0.0)
        self._scale = 0.0
        self._missing = [0] * len(layers)
        self._next = 0
        for index, own in enumerate(parameters):
            for parameter in own:
                hook = self._hook(index)
                parameter.register_post_accumulate_grad_hook(hook)  # type: ignore[no-untyped-call]

    def arm(self, scale: float, samples: int, *, stop: bool) -> None:
        """From now on gradients leave, times `scale`, with what is summed beside them."""
        self._scale, self._tail = scale, (float(samples), float(stop))
        self._missing = [len(own) for own in self._parameters]
        self._next = 0
        self.armed = True

    def flush(self) -> None:
        """Let the rest leave: layers of which backward did not reach every parameter."""
        self.armed = False
        with torch.no_grad():
            for index in range(self._next, len(self.packets)):
                if self._missing[index]:
                    self._pack(index)
                self._leave(index)
        self._next = len(self.packets)

    def _hook(self, index: int) -> Callable[[torch.Tensor], None]:
        def ready(parameter: torch.Tensor) -> None:
            del parameter
            if not self.armed:
                return
            self._missing[index] -= 1
            if self._missing[index] == 0:
                self._pack(index)
                if self._early:
                    self._let_leave()

        return ready

    def _let_leave(self) -> None:
        while self._next < len(self._missing) and not self._missing[self._next]:
            self._leave(self._next)
            self._next += 1

    def _pack(self, index: int) -> None:
        packet = self.packets[index]
        present = 0.0
        for place, parameter in zip(packet.parameters, self._parameters[index], strict=True):
            if parameter.grad is None:
                place.zero_()
                continue
            present = 1.0
            if self._scale == 1.0:
                place.copy_(parameter.grad)
            else:
                torch.mul(parameter.grad, self._scale, out=place)
            parameter.grad = None
        packet.tail[:3] = torch.tensor((*self._tail, present))
        packet.beside.packed()
