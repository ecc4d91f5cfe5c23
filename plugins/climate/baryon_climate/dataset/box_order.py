"""Which column of `boxes` is what: two orders are found in the wild.

The files' documentation says ymin, xmin, ymax, xmax; the converter of `eracah/hur-detect` writes
its pairs together (both reported). They are told apart by the boxes themselves: in the right order
every minimum is below its maximum and no row is beyond the poles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from baryon.errors import BaryonError, did_you_mean

AUTO = "auto"
COLUMNS = "ymin", "xmin", "ymax", "xmax"
IN_THE_WILD = "ymin_xmin_ymax_xmax", "ymin_ymax_xmin_xmax"
ORDERS = (*IN_THE_WILD, "xmin_ymin_xmax_ymax", "xmin_xmax_ymin_ymax")
CLEAR = 0.05
"""Share of the boxes that the better order must fit beyond the other."""

Boxes = npt.NDArray[Any]


def places(order: str) -> list[int]:
    """Return the columns of ymin, xmin, ymax, xmax. Raises `BaryonError` for an unknown order."""
    if order not in ORDERS:
        raise BaryonError(
            f"dataset.box_order={order} is unknown; {did_you_mean((*ORDERS, AUTO), order)}"
        )
    names = order.split("_")
    return [names.index(column) for column in COLUMNS]


def fit(boxes: Boxes, order: str, height: int, width: int) -> float:
    """Return the share of boxes (n, 5) that an order makes sense of in frames of this size."""
    ymin, xmin, ymax, xmax = boxes[:, places(order)].T
    right = (ymin < ymax) & (xmin < xmax) & (ymin >= 0) & (ymax <= height)
    return float((right & (xmin >= 0) & (xmax <= xmin + width)).mean())


def tell(
    boxes: Boxes, height: int, width: int, where: str, orders: Sequence[str] = IN_THE_WILD
) -> tuple[str, str]:
    """Return which of two orders boxes (n, 5) have, and the reason in words.

    Raises `BaryonError` if both orders fit about as well, or neither does.
    """
    # by the share of boxes that it fits, not by the first one: real files hold a few that fit no
    # order, and one box may fit both
    fits = {order: fit(boxes, order, height, width) for order in orders}
    best, other = sorted(fits, key=lambda order: -fits[order])
    shares = ", ".join(f"{order} fits {share:.1%}" for order, share in fits.items())
    ask = f"give dataset.box_order= one of {', '.join(ORDERS)}"
    if fits[best] < 0.5:
        raise BaryonError(
            f"{where}: no order of box columns fits ({shares} of {len(boxes)}); {ask}"
        )
    if fits[best] - fits[other] < CLEAR:
        raise BaryonError(
            f"{where}: the order of box columns is not clear from {len(boxes)} boxes ({shares}); "
            f"{ask}"
        )
    return best, f"{shares} of {len(boxes):,} boxes"


def in_order(boxes: Boxes, order: str) -> Boxes:
    """Return boxes (..., 5) with the columns ymin, xmin, ymax, xmax, class."""
    return boxes[..., [*places(order), 4]]


def used(boxes: Boxes) -> npt.NDArray[np.bool_]:
    """Return which rows (...,) of boxes (..., 5) are used; the others are -1 throughout."""
    return np.asarray(~(boxes == -1).all(axis=-1))
