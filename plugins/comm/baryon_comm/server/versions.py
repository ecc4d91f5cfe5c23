"""A layer's weights on their server: those that are still being sent stay as they are."""

from __future__ import annotations

from collections.abc import Callable

from baryon_comm.layers.layer import Layer, Packet

Ended = Callable[[], bool]
"""Whether a send is over."""


class Versions:
    """As many packets as are under way at once, and the latest."""

    def __init__(self, layer: Layer) -> None:
        self.latest = Packet(layer)
        self._packets = [self.latest]
        self._sends: list[tuple[Packet, Ended]] = []

    def leaves(self, ended: Ended) -> None:
        """The latest is being sent."""
        self._sends.append((self.latest, ended))

    def make_way(self) -> bool:
        """Before a change: whether `latest` has become a copy, since a send still needs it."""
        self._sends = [(packet, ended) for packet, ended in self._sends if not ended()]
        busy = [packet for packet, _ in self._sends]
        if self.latest not in busy:
            return False
        former = self.latest
        self.latest = next((p for p in self._packets if p not in busy), None) or self._another()
        self.latest.values.copy_(former.values)
        return True

    def _another(self) -> Packet:
        packet = self.latest.another()
        self._packets.append(packet)
        return packet
