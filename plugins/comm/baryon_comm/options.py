"""The options that all strategies over MPI share."""

from __future__ import annotations

from dataclasses import dataclass

from baryon.errors import BaryonError, one_of
from baryon_comm.group.transport import check_transport

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
        check_transport(self.transport, self.wire)
        if self.deadline_s <= 0:
            raise BaryonError(f"comm.deadline_s={self.deadline_s} must be above 0")
        if self.check_every < 0:
            raise BaryonError(f"comm.check_every={self.check_every} must be 0 or more")
        if self.on_death not in ON_DEATH:
            raise BaryonError(
                f"comm.on_death={self.on_death} is not known; {one_of(ON_DEATH, self.on_death)}"
            )
