"""Rates and times, by a clock that a test turns."""

import json

import pytest
import torch

from baryon.report import speed
from baryon.training.metrics.flop_count import Operations
from baryon.training.metrics.meters import Meters
from baryon.training.metrics.rates import WINDOW, Rates
from baryon.training.metrics.stopwatch import (
    BACKWARD,
    CHECKPOINT,
    FORWARD,
    INPUT,
    OPTIMIZER,
    REST,
    START,
    HostClock,
    Stopwatch,
    clock_of,
)


class Clock:
    def __init__(self):
        self.now = 0.0

    def stamp(self):
        return self.now

    def seconds(self, earlier, later):
        return later - earlier


@pytest.fixture
def clock():
    return Clock()


def one_step(stopwatch, clock, samples=8, checkpoint=0.0):
    for phase, seconds in ((INPUT, 1), (FORWARD, 2), (BACKWARD, 4), (OPTIMIZER, 1), (REST, 0)):
        stopwatch.switch(phase)
        clock.now += seconds
    stopwatch.step_ended(samples)
    with stopwatch.inside(CHECKPOINT):
        clock.now += checkpoint


def test_every_second_belongs_to_one_phase(clock):
    stopwatch = Stopwatch(clock)
    clock.now += 10
    stopwatch.steps_begin()
    one_step(stopwatch, clock)
    one_step(stopwatch, clock, checkpoint=3)
    phases, steps = stopwatch.read()
    assert phases == {
        START: 10, INPUT: 2, FORWARD: 4, BACKWARD: 8, OPTIMIZER: 2, REST: 0, CHECKPOINT: 3,
    }  # fmt: skip
    assert sum(phases.values()) == clock.now
    assert steps == [(8, 8), (8, 8)]
    one_step(stopwatch, clock)
    assert stopwatch.read()[1] == [(11, 8)]  # with the checkpoint that lay between


def test_peak_is_the_fastest_step_and_sustained_the_best_window():
    rates = Rates()
    rates.add([(2.0, 10)] * WINDOW)
    assert (rates.peak, rates.sustained) == (5.0, 5.0)
    rates.add([(1.0, 10)] * (WINDOW // 2))
    assert rates.peak == 10.0
    assert rates.sustained == pytest.approx(10 * WINDOW / (1.5 * WINDOW))
    rates.add([(100.0, 10)] * WINDOW)
    assert rates.sustained == pytest.approx(10 * WINDOW / (1.5 * WINDOW))  # the best stays
    assert rates.sustained_steps == WINDOW


def test_a_short_run_sustains_what_it_did_in_all():
    rates = Rates()
    rates.add([(1.0, 10), (3.0, 10)])
    assert (rates.sustained, rates.sustained_steps) == (5.0, 2)


def test_time_lost_by_a_kill_counts_against_goodput(clock, monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    stopwatch = Stopwatch(clock)
    meters = Meters(stopwatch)
    meters.operations = Operations(5e11, {"conv": 5e11})
    meters.peak_flops = 1.0
    for _ in range(4):
        one_step(stopwatch, clock)
    values = meters.read(worker_samples=32, all_samples=64)
    assert values["samples_per_second"] == 64 / 32
    assert values["mfu"] == values["tflops_per_second"] == 1.0
    assert values["ms"][BACKWARD] == 4000
    kept = meters.state_dict()
    assert meters.summary()["goodput"] == 7 / 8
    resumed = Meters(Stopwatch(clock))
    resumed.load_state_dict(kept, reached=48.0)
    summary = resumed.summary()
    assert summary["lost_seconds"] == 16
    assert summary["wall_seconds"] == 48
    assert summary["goodput"] == 28 / 48
    assert summary["rates"]["peak"]["samples_per_second"] == 2.0
    json.dumps(summary)


def test_tables_say_rate_time_and_layers(clock, monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    stopwatch = Stopwatch(clock)
    meters = Meters(stopwatch)
    meters.operations, meters.peak_flops = Operations(5e11, {"conv": 4e11, "fc": 1e11}), 10.0
    one_step(stopwatch, clock)
    meters.read(8, 8)
    rates, phases, layers = speed.tables(meters.summary())
    assert rates.rows[0][0] == "peak (fastest step)"
    assert rates.rows[1][0] == "sustained (best 1 steps)"
    assert ("backward", "4 s", "50.0%") in phases.rows
    assert layers.rows[0] == ("conv", 400.0, "80.0%")
    assert rates.caption == "Speed: 500 GFLOP a sample; peak 10 TFLOP/s"
    meters.peak_flops = 0.25
    rates = speed.rates(meters.summary())
    assert rates.rows[0][-1] == "200%"
    assert rates.caption.endswith("; peak 0.25 TFLOP/s, measured too low: was the machine busy?")


def test_switching_costs_next_to_nothing():
    """Ten switches a step: far below 2 % of a step of a millisecond."""
    import time

    stopwatch = Stopwatch(HostClock())
    started = time.perf_counter()
    for _ in range(1000):
        one_step(stopwatch, Clock())
    stopwatch.read()
    assert (time.perf_counter() - started) / 1000 < 1e-4


@pytest.mark.gpu
def test_on_the_gpu_the_device_is_timed_not_the_queueing():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    stopwatch = Stopwatch(clock_of(torch.device("cuda")))
    one = torch.randn(4096, 4096, device="cuda")
    stopwatch.steps_begin()
    stopwatch.switch(FORWARD)
    for _ in range(50):
        one @ one
    stopwatch.switch(REST)
    stopwatch.step_ended(1)
    phases, steps = stopwatch.read()
    assert phases[FORWARD] > 50 * 2 * 4096**3 / 2e15  # no device does 2 PFLOP/s in float32
    assert steps[0][0] >= phases[FORWARD]
