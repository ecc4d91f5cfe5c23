"""Processes give the batches that threads give, within the memory that is stated."""

import gc
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from process_splits import Augmented, Faulty, Growing, Noise, Strange, Telling

from baryon.data.loader import Loader
from baryon.data.workers.worker_group import worker_environment
from baryon.errors import BaryonError
from baryon.interfaces import DataShard


def assert_same(batches, others) -> None:
    for batch, other in zip(batches, others, strict=True):
        assert list(batch) == list(other)
        for name, values in batch.items():
            assert values.dtype == other[name].dtype
            assert torch.equal(values, other[name]), name


@given(
    rows=st.integers(1, 90),
    chunk=st.integers(1, 30),
    batch=st.integers(1, 40),
    window=st.sampled_from([1e-3, 0.02, 1]),
    members=st.integers(1, 3),
    first=st.integers(0, 3),
    kind=st.sampled_from([Noise, Augmented]),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_batches_are_those_of_threads(
    readers, loading, rows, chunk, batch, window, members, first, kind
):
    split, shard = kind(rows, chunk), DataShard(0, 1, members - 1, members)
    settings = {"batch_size": batch, "window_mib": window}
    threads = Loader(split, loading(**settings))
    processes = Loader(split, loading(**settings, readers=readers))
    assert_same(threads.shuffled(3, first, shard), processes.shuffled(3, first, shard))
    assert_same(threads.in_order(shard), processes.in_order(shard))


def shared_bytes() -> int:
    """Return the bytes that this process shares with others, as the kernel counts them."""
    memories = {}
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            if "baryon-input" in str(descriptor.readlink()):
                status = descriptor.stat()
                memories[status.st_ino] = status.st_blocks * 512
        except FileNotFoundError:  # the listing's own
            continue
    return sum(memories.values())


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("kind", [Noise, Augmented])
@pytest.mark.parametrize("batch", [3, 40, 300])
def test_what_is_shared_stays_within_the_stated_bound(readers, loading, kind, batch, members):
    split, shard = kind(600, 16), DataShard(0, 1, 0, members)
    loader = Loader(split, loading(batch_size=batch, window_mib=0.2, readers=readers))
    most = loader.max_bytes(shard)
    seen = []
    for samples in loader.shuffled(0, shard=shard):
        seen.append(shared_bytes())
        assert seen[-1] + sum(values.nbytes for values in samples.values()) <= most
    assert max(seen) > 0.2 * 2**20  # a window at least
    assert max(seen) < 600 * loader.sample_bytes or batch == 300  # of 600: all are at hand
    del samples
    gc.collect()
    assert shared_bytes() == 0


def test_it_is_told_in_the_opening_line(readers, loading):
    line = Loader(Noise(), loading(readers=readers)).describe()
    assert line.startswith("2 processes decoding, at most ")


def test_an_epoch_can_be_left_early(readers, loading):
    loader = Loader(Augmented(500), loading(readers=readers))
    for _ in range(3):
        batches = loader.shuffled(0)
        next(batches)
        batches.close()
    assert_same(loader.shuffled(0), Loader(Augmented(500), loading()).shuffled(0))


def test_processes_know_neither_mpi_nor_torch_and_are_heard_once(readers, loading, capsys):
    batches = list(Loader(Telling(), loading(readers=readers)).in_order())
    assert not any(batch["inputs"].any() for batch in batches)
    list(Loader(Telling(), loading(readers=readers)).in_order())
    assert capsys.readouterr().out == "the first chunk is read\n"


def test_a_launchers_variables_are_left_out():
    launched = {
        "OMPI_COMM_WORLD_RANK": "1", "PMIX_RANK": "1", "PMI_RANK": "1", "SLURM_PROCID": "1",
        "MPI_LOCALRANKID": "0", "HYDI_CONTROL_FD": "7", "I_MPI_RANK": "1",
    }  # fmt: skip
    inherited = worker_environment({**launched, "HOME": "/home/me", "OMP_NUM_THREADS": "8"})
    assert not set(launched) & set(inherited)
    assert inherited["HOME"] == "/home/me"
    assert inherited["OMP_NUM_THREADS"] == "1"


def test_an_error_is_the_same_as_with_threads(readers, loading):
    for way in ({}, {"readers": readers}):
        with pytest.raises(BaryonError, match=r"^frames.nc, row 40: this row is damaged$"):
            list(Loader(Faulty("named"), loading(**way)).shuffled(0))


def test_another_exception_comes_with_its_traceback(readers, loading):
    with pytest.raises(ZeroDivisionError, match="of all things") as caught:
        list(Loader(Faulty("unnamed"), loading(readers=readers)).shuffled(0))
    (note,) = caught.value.__notes__
    assert note.startswith("in a reading process:")
    assert "in _unnamed" in note


def test_an_exception_that_cannot_travel_is_told(readers, loading):
    with pytest.raises(RuntimeError, match=r"^Strange: onetwo") as caught:
        list(Loader(Faulty("strange"), loading(readers=readers)).shuffled(0))
    assert "in _strange" in str(caught.value)
    assert not isinstance(caught.value, Strange)


def test_more_than_the_fields_say(readers, loading):
    says = (
        r"process_splits.Growing: augment of 7 samples gives 'inputs' as float32 \(7, 6, 16, 16\)"
    )
    with pytest.raises(BaryonError, match=says):
        list(Loader(Growing(), loading(readers=readers)).shuffled(0))


def test_a_read_of_another_shape(readers, loading):
    split = Noise()
    split.fields = {**Noise.fields, "narrow": split.fields["label"]}
    with pytest.raises(BaryonError, match=r"process_splits.Noise: read\(0, 7\) gives 'narrow' as "):
        list(Loader(split, loading(readers=readers)).in_order())


def test_a_split_that_cannot_be_sent(readers, loading):
    with pytest.raises(BaryonError) as caught:
        list(Loader(Faulty("pickle"), loading(readers=readers)).shuffled(0))
    assert str(caught.value) == (
        "split process_splits.Faulty cannot be sent to reading processes (TypeError: cannot "
        "pickle '_thread.lock' object): set data.processes=0, or let its class leave out open "
        "files and locks in __getstate__ (docs/plugins.md)"
    )


def test_a_split_of_a_module_that_processes_cannot_import(readers, loading, monkeypatch):
    module = ModuleType("nowhere")
    module.Here = type("Here", (Noise,), {"__module__": "nowhere"})
    monkeypatch.setitem(sys.modules, "nowhere", module)
    split = module.Here()
    with pytest.raises(BaryonError, match=r"in a reading process \(ModuleNotFoundError: No mod"):
        list(Loader(split, loading(readers=readers)).shuffled(0))
