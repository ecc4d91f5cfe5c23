"""Batches on a GPU are those of the CPU, copied from pinned memory."""

import h5py
import numpy as np
import pytest
import torch

from baryon import interfaces
from baryon.data.hdf5.table import Hdf5Table
from baryon.data.loader import Loader
from baryon.data.loading import Loading
from baryon.interfaces import Field

pytestmark = pytest.mark.gpu


class Split(interfaces.Split):
    parallel_reads = True
    fields = {"inputs": Field((3, 8, 8), "float32")}  # noqa: RUF012

    def __init__(self, path):
        self.table = Hdf5Table([path], {"x": "x"})

    def __len__(self):
        return len(self.table)

    def chunk_starts(self):
        return self.table.chunk_starts("x")

    def read(self, start, stop):
        return {"inputs": self.table.read("x", start, stop)}

    def fingerprint(self):
        return "toy"

    def augment(self, arrays, random):
        return {**arrays, "inputs": arrays["inputs"] + random.random(dtype=np.float32)}


@pytest.fixture
def loaders(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        values = np.random.default_rng(1).random((300, 3, 8, 8), np.float32)
        file.create_dataset("x", data=values, chunks=(16, 3, 8, 8), compression="gzip")
    return [
        Loader(
            Split(path),
            Loading(
                batch_size=32,
                window_mib=1,
                prefetch=3,
                seed=1,
                threads=2,
                device=torch.device(device),
            ),
        )
        for device in ("cpu", "cuda")
    ]


def test_shuffled_batches_are_copied_to_device_unchanged(loaders):
    on_cpu, on_gpu = (loader.shuffled(2) for loader in loaders)
    count = 0
    for here, there in zip(on_cpu, on_gpu, strict=True):
        assert all(tensor.is_cuda for tensor in there.values())
        torch.cuda._sleep(1_000_000)  # the computing stream is busy while the next is copied
        for name, tensor in here.items():
            assert torch.equal(there[name].cpu(), tensor)
        count += 1
    assert count == 10


def test_batches_in_order_stay_in_pinned_memory(loaders):
    for batch in loaders[1].in_order():
        assert all(tensor.is_pinned() for tensor in batch.values())


def test_leaving_early(loaders):
    batches = loaders[1].shuffled(0)
    next(batches)
    batches.close()
