import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baryon.data.sampling import shuffled_order
from baryon.data.shuffle_quality import ShuffleQuality


def test_window_of_one_chunk_is_worth_one_sample():
    assert ShuffleQuality.of([64] * 100, window=1, batch=32).effective_batch == 1


def test_chunks_of_one_sample_equal_full_shuffle():
    quality = ShuffleQuality.of([1] * 1000, window=200, batch=32)
    assert quality.effective_batch == quality.effective_batch_of_full_shuffle == 32


def test_window_of_all_chunks_equals_full_shuffle():
    quality = ShuffleQuality.of([64] * 100, window=200, batch=32)
    assert quality.chunks == 100
    assert quality.effective_batch == quality.effective_batch_of_full_shuffle


@given(window=st.integers(1, 30), batch=st.integers(1, 64))
def test_worst_case_grows_with_window(window, batch):
    sizes = [16] * 30
    less, more = (
        ShuffleQuality.of(sizes, window, batch),
        ShuffleQuality.of(sizes, window + 1, batch),
    )
    assert less.effective_batch <= more.effective_batch + 1e-9
    assert 1 - 1e-9 <= less.effective_batch <= less.effective_batch_of_full_shuffle + 1e-9
    assert less.effective_batch_at(1.0) == pytest.approx(less.effective_batch)
    assert less.effective_batch_at(0.0) == pytest.approx(batch)


@pytest.mark.parametrize("window", [2, 8, 50])
def test_shuffle_quality_equals_variance_of_batch_means(window):
    """A file whose chunks are each of one kind: the mean of a batch varies as the measure says."""
    chunk, chunks, batch = 16, 400, 16  # no batch lies across two windows
    kind = np.random.default_rng(1).standard_normal(chunks)
    means = []
    for epoch in range(40):
        rows = shuffled_order(
            range(0, chunk * chunks, chunk), chunk * chunks, window, 1, epoch
        ).rows
        means.append(kind[rows // chunk].reshape(-1, batch).mean(axis=1))
    worth = kind.var() / np.var(np.concatenate(means))
    quality = ShuffleQuality.of([chunk] * chunks, window, batch)
    assert worth == pytest.approx(quality.effective_batch, rel=0.08)
