"""The reducer: packs gradients into buckets layer by layer while backward still runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from baryon_comm.gradients.bucket import buckets_for
from baryon_comm.gradients.layer import Layer

LaunchExchange = Callable[[int], None]
"""Called with the index of a layer whose bucket is filled."""


class Reducer:
    """Pack each layer once its gradients are complete, and launch the exchanges in fixed order.

    All ranks must launch them in the same order, so it is that of `layers`, not that in which
    backward happens to complete them.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        parameters: Sequence[Sequence[torch.nn.Parameter]],
        launch: LaunchExchange,
        *,
        overlap: bool,
    ) -> None:
        """Call `launch` with each layer in turn: during backward, or only in `flush`."""
        self.buckets = buckets_for(layers, parameters)
        self._parameters = parameters
        self._launch = launch
        self._overlap = overlap
        self.armed = False
        self._tail = (0.0, 0.0)
        self._scale = 0.0
        self._missing = [0] * len(layers)
        self._next = 0
        for index, layer_parameters in enumerate(parameters):
            for parameter in layer_parameters:
                hook = self._gradient_hook(index)
                parameter.register_post_accumulate_grad_hook(hook)  # type: ignore[no-untyped-call]

    def arm(self, scale: float, samples: int, *, stop: bool) -> None:
        """Pack the gradients of the next backward, times `scale`.

        `samples` and `stop` are summed with them.
        """
        self._scale, self._tail = scale, (float(samples), float(stop))
        self._missing = [len(parameters) for parameters in self._parameters]
        self._next = 0
        self.armed = True

    def flush(self) -> None:
        """Launch the remaining layers, some parameters of which backward did not reach."""
        self.armed = False
        with torch.no_grad():
            for index in range(self._next, len(self.buckets)):
                # What backward has completed is packed already.
                if self._missing[index]:
                    self._pack(index)
                self._launch(index)
        self._next = len(self.buckets)

    def _gradient_hook(self, index: int) -> Callable[[torch.Tensor], None]:
        def gradient_ready(parameter: torch.Tensor) -> None:
            del parameter
            if not self.armed:
                return
            self._missing[index] -= 1
            if self._missing[index] == 0:
                self._pack(index)
                if self._overlap:
                    self._launch_ready()

        return gradient_ready

    def _launch_ready(self) -> None:
        while self._next < len(self._missing) and not self._missing[self._next]:
            self._launch(self._next)
            self._next += 1

    def _pack(self, index: int) -> None:
        bucket = self.buckets[index]
        present = 0.0
        for view, parameter in zip(bucket.parameters, self._parameters[index], strict=True):
            if parameter.grad is None:
                view.zero_()
                continue
            present = 1.0
            if self._scale == 1.0:
                view.copy_(parameter.grad)
            else:
                torch.mul(parameter.grad, self._scale, out=view)
            # Freed at once: memory for gradients and buckets of all layers would be twice as much.
            parameter.grad = None
        bucket.tail[:3] = torch.tensor((*self._tail, present))
        bucket.side_stream.record_ready()
