"""Splits that reading processes can import."""

import os
import sys
import threading
import time
from collections.abc import Sequence

import numpy as np

from baryon.errors import BaryonError
from baryon.interfaces import Field, Split


class Noise(Split):
    """Wide and narrow samples of several types, changed by chance."""

    fields = {  # noqa: RUF012
        "inputs": Field((3, 16, 16), "float32"),
        "narrow": Field((5,), "float16"),
        "label": Field((), "int64"),
        "flag": Field((), "bool"),
    }

    def __init__(self, rows: int = 90, chunk: int = 7) -> None:
        self.rows, self.chunk = rows, chunk

    def __len__(self) -> int:
        return self.rows

    def chunk_starts(self) -> Sequence[int]:
        return range(0, self.rows, self.chunk)

    def read(self, start, stop):
        random = np.random.default_rng(start)
        return {
            "inputs": random.random((stop - start, 3, 16, 16)).astype("f4"),
            "narrow": random.random((stop - start, 5)).astype("f2"),
            "label": np.arange(start, stop),
            "flag": random.random(stop - start) < 0.5,
        }

    def fingerprint(self):
        return "toy"


class Augmented(Noise):
    """Turned round and cut; the label becomes another number."""

    augmented_fields = {**Noise.fields, "inputs": Field((3, 8, 16), "float32")}  # noqa: RUF012

    def augment(self, arrays, random):
        assert arrays["keys"].tolist() == arrays["label"].tolist()
        inputs = arrays["inputs"][:, :, ::-1][:, :, :8] + random.random(16, dtype=np.float32)
        return {**arrays, "inputs": inputs, "label": arrays["label"] + random.integers(9)}


class Telling(Noise):
    """Samples say of the process that read them what should not be there."""

    fields = {"inputs": Field((), "int64")}  # noqa: RUF012

    def read(self, start, stop):
        modules = {"mpi4py", "torch"} & set(sys.modules)
        launcher = [key for key in os.environ if key.startswith(("OMPI_", "PMIX_", "SLURM_"))]
        if start == 0:
            print("the first chunk is read")  # noqa: T201
        return {"inputs": np.full(stop - start, len(modules) + len(launcher))}


class Faulty(Noise):
    """Reads up to a row, then `fault` happens."""

    def __init__(self, fault: str, row: int = 40) -> None:
        super().__init__()
        self.fault, self.row = fault, row
        self.lock = threading.Lock() if fault == "pickle" else None

    def read(self, start, stop):
        if start <= self.row < stop:
            getattr(self, f"_{self.fault}")()
        return super().read(start, stop)

    def _named(self):
        raise BaryonError("frames.nc, row 40: this row is damaged")

    def _unnamed(self):
        raise ZeroDivisionError("of all things")

    def _strange(self):
        raise Strange("one", "two")

    def _killed(self):
        os.kill(os.getpid(), 9)

    def _slow(self):
        time.sleep(60)


class Strange(Exception):  # noqa: N818
    """Cannot be unpickled."""

    def __init__(self, one, two):
        super().__init__(one + two)


class Growing(Noise):
    """Its augmentation gives more than its fields say."""

    def augment(self, arrays, random):
        return {**arrays, "inputs": np.repeat(arrays["inputs"], 2, axis=1)}
