"""The peak rate of a machine, against which the share of a run is stated."""

import pytest
import torch

from baryon.training.autotune.execution_mode import BF16, FP32, ExecutionMode
from baryon.training.metrics import peak_flops as module
from baryon.training.metrics.peak_flops import peak_flops

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "SIZE", {"cpu": 64})
    monkeypatch.setattr(module, "SECONDS", 0.0)


def test_peak_flops_is_a_rate_and_each_precision_has_its_own(monkeypatch):
    assert 0 < peak_flops(ExecutionMode(FP32), CPU) < 1e4
    monkeypatch.setattr(module, "_measure", lambda *_, **__: 1e5)
    assert peak_flops(ExecutionMode(BF16), CPU) == 1e5


def test_peak_flops_measured_on_a_busy_machine_is_mended_by_the_next_run(monkeypatch):
    def measured(seconds):
        monkeypatch.setattr(module, "_seconds_of_product", lambda a, b: seconds)
        return peak_flops(ExecutionMode(FP32), CPU)

    operations = 2 * 64**3 / 1e12
    assert measured(0.1) == pytest.approx(operations / 0.1)  # busy
    assert measured(0.01) == pytest.approx(operations / 0.01)
    assert measured(0.1) == pytest.approx(operations / 0.01)  # busy again
