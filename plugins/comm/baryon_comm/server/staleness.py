"""Staleness policies: what a server does with a gradient that was computed with old weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from baryon.errors import BaryonError, did_you_mean

PLAIN, COMPENSATED, RINGMASTER, DANA = "plain", "delay_compensation", "ringmaster", "dana"
STALENESS_POLICIES = (PLAIN, COMPENSATED, RINGMASTER, DANA)


@dataclass(frozen=True)
class StalenessPolicy:
    """A policy and its parameters. Raises `BaryonError` for values that make no sense.

    `plain`: apply the gradient as it is. `delay_compensation`: DC-ASGD (arXiv:1609.08326, eq. 10).
    `ringmaster`: drop gradients whose staleness is `max_staleness` or more (arXiv:2501.16168).
    `dana`: a momentum of its own for each group, and weights sent out where all momenta will have
    carried them (DANA-Zero, arXiv:1907.11612).
    """

    name: str
    compensation: float
    max_staleness: int

    def __post_init__(self) -> None:
        if self.name not in STALENESS_POLICIES:
            raise BaryonError(
                f"comm.staleness_policy={self.name} is not known; "
                f"{did_you_mean(STALENESS_POLICIES, self.name)}"
            )
        if self.compensation < 0:
            raise BaryonError(f"comm.compensation={self.compensation} must be 0 or more")
        if self.max_staleness < 1:
            raise BaryonError(f"comm.max_staleness={self.max_staleness} must be above 0")

    def drops(self, staleness: int) -> bool:
        """Whether the gradient comes too late to be used."""
        return self.name == RINGMASTER and staleness >= self.max_staleness

    def correct(self, gradient: torch.Tensor, now: torch.Tensor, then: torch.Tensor) -> None:
        """Correct the gradient in place for the weights' move since it was computed.

        g + lambda g * g * (w_now - w_then): the diagonal of g g^T stands in for the Hessian.
        """
        if self.name == COMPENSATED:
            gradient.addcmul_(gradient.square(), now - then, value=self.compensation)

    @property
    def momentum_by_group(self) -> bool:
        """Whether each group has an optimizer of its own."""
        return self.name == DANA
