"""What a split hands over is what its fields and chunk starts say, or it is refused."""

import numpy as np
import pytest
import torch
from toy_points import CHUNK, ROWS, Points

from baryon.data.decoding import read_rows
from baryon.data.loader import Loader
from baryon.data.loading import Loading
from baryon.errors import BaryonError
from baryon.interfaces import Field

LOADING = Loading(
    batch_size=4, window_mib=1, prefetch=1, seed=1, threads=1, device=torch.device("cpu")
)


CHANGES = {
    "another shape": (
        lambda arrays: {**arrays, "inputs": arrays["inputs"][:, :2]},
        "read(10, 20) gives 'inputs' as float32 (10, 2), but its field says float32 (10, 3)",
    ),
    "a row too many": (
        lambda arrays: {name: np.repeat(v, 2, axis=0)[:11] for name, v in arrays.items()},
        "read(10, 20) gives 'inputs' as float32 (11, 3), but its field says float32 (10, 3)",
    ),
    "a float for a whole number": (
        lambda arrays: {**arrays, "label": arrays["label"] / 100},
        "read(10, 20) gives 'label' as float64 (10,), but its field says int64 (10,)",
    ),
    "a list": (
        lambda arrays: {**arrays, "label": arrays["label"].tolist()},
        "read(10, 20) gives 'label' as list, but its field says int64 (10,)",
    ),
    "a field that is missing": (
        lambda arrays: {"inputs": arrays["inputs"]},
        "read(10, 20) gives inputs, but its fields are inputs, label",
    ),
    "a field that is not declared": (
        lambda arrays: {**arrays, "weight": arrays["label"]},
        "read(10, 20) gives inputs, label, weight, but its fields are inputs, label",
    ),
    "no mapping": (
        lambda arrays: arrays["inputs"],
        "read(10, 20) gives float32 (10, 3), not a mapping of arrays by name",
    ),
}


def refused(call) -> str:
    with pytest.raises(BaryonError) as raised:
        call()
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("name", CHANGES)
def test_require_declared_refuses_other_arrays(name):
    change, says = CHANGES[name]
    split = Points(change, broken_from=CHUNK)
    loader = Loader(split, LOADING)
    for read in (
        lambda: list(loader.in_order()),
        lambda: list(loader.shuffled(0)),
        lambda: read_rows(split, np.arange(CHUNK, ROWS)),
    ):
        assert refused(read) == f"toy_points.Points: {says}"


@pytest.mark.parametrize(
    "starts",
    [(1, 10), (0, 10, 10), (10, 0), (0, 20), (0, 30), (), (0, 5.5), (0, -1), ("0", "10")],
    ids=str,
)
def test_chunk_bounds_refuses_unordered_starts(starts):
    says = refused(lambda: Loader(Points(starts=starts), LOADING))
    assert "chunk_starts() must ascend from 0 to below its 20 samples, in whole numbers" in says


def test_require_declared_accepts_other_byte_order():
    split = Points(lambda arrays: {**arrays, "label": arrays["label"].astype(">i8")})
    label = torch.cat([batch["label"] for batch in Loader(split, LOADING).in_order()])
    assert label.tolist() == [0, 1] * (ROWS // 2)


class Cropped(Points):
    """Augmented to fewer numbers, or to what `wrong` makes of them."""

    augmented_fields = {**Points.fields, "inputs": Field((2,), "float32")}  # noqa: RUF012

    def __init__(self, wrong=lambda arrays: arrays):
        super().__init__()
        self._wrong = wrong

    def augment(self, arrays, random):
        return self._wrong({**arrays, "inputs": arrays["inputs"][:, :2]})


def without_keys(arrays):
    return {name: values for name, values in arrays.items() if name != "keys"}


def test_require_augmented_uses_augmented_fields():
    assert next(Loader(Cropped(), LOADING).shuffled(0))["inputs"].shape == (4, 2)
    doubled = Cropped(lambda arrays: {**arrays, "inputs": arrays["inputs"].astype("f8")})
    says = refused(lambda: next(Loader(doubled, LOADING).shuffled(0)))
    assert "augment of 4 samples gives 'inputs' as float64 (4, 2), but its field says" in says
    says = refused(lambda: next(Loader(Cropped(without_keys), LOADING).shuffled(0)))
    assert says.endswith("gives inputs, label, but its fields are inputs, keys, label")
