"""The options that all strategies over MPI share."""

from __future__ import annotations

from dataclasses import dataclass

from baryon.errors import BaryonError, did_you_mean

TRANSPORTS = ("auto", "mpi", "torch")
WIRES = ("fp32", "bf16")
ON_DEATH = ("shrink", "drop")


@dataclass(frozen=True)
class Options:
    """See `conf/comm/hybrid.yaml`. Raises `BaryonError` for a value that makes no sense."""

    transport: str
    wire: str
    overlap: bool
    deadline_s: float
    check_every: int
    on_death: str = "shrink"

    def __post_init__(self) -> None:
        _require_known("transport", self.transport, TRANSPORTS)
        _require_known("wire", self.wire, WIRES)
        _require_known("on_death", self.on_death, ON_DEATH)
        if self.deadline_s <= 0:
            raise BaryonError(f"comm.deadline_s={self.deadline_s} must be above 0")
        if self.check_every < 0:
            raise BaryonError(f"comm.check_every={self.check_every} must be 0 or more")


def _require_known(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise BaryonError(f"comm.{key}={value} is not known; {did_you_mean(known, value)}")
