"""What Pythia is made to do."""

from dataclasses import replace

import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_hep.generation import early_veto
from baryon_hep.generation.processes import NO_SLICE, processes
from baryon_hep.generation.settings import Settings
from baryon_hep.generation.slha import NEUTRALINO, spectrum

RUNTIME = ("out", "workers")


def settings(defaults, **changes) -> Settings:
    keys = {key: value for key, value in (defaults | changes).items() if key not in RUNTIME}
    return Settings(**keys | {"pt_hat_slices": tuple(keys["pt_hat_slices"])})


def generator(defaults, number, **changes):
    pytest.importorskip("pythia8mc")
    pytest.importorskip("awkward")
    from baryon_hep.generation.events import EventGenerator

    return EventGenerator(processes(settings(defaults, **changes))[number], seed=3)


def baryon_number(particles) -> np.ndarray:
    """(N,) of each event's stable particles; PDG codes of baryons have four digits."""
    sign = np.where((np.abs(particles.code) // 1000 % 10 > 0), np.sign(particles.code), 0)
    return np.bincount(particles.event(), sign, len(particles.counts)).astype(int)


@pytest.mark.parametrize("signal", ["rpv10", "rpv6"])
def test_decays_conserve_charge_and_add_up(signal):
    thirds = {1: -1, 2: 2, 3: -1, 4: 2, 5: -1, 6: 2, NEUTRALINO: 0}
    total = {}
    for line in spectrum(signal, 1400, 850).split("DECAY ")[1:]:
        head, *channels = line.splitlines()
        mother = int(head.split()[0])
        for channel in channels:
            ratio, count, *daughters = channel.split()
            assert len(daughters) == int(count) == 3
            charges = [np.sign(int(d)) * thirds[abs(int(d))] for d in daughters]
            assert sum(charges) == 0
            total[mother] = total.get(mother, 0) + float(ratio)
    assert total == pytest.approx({1000021: 1.0, NEUTRALINO: 1.0})


def test_events_are_shared_among_the_slices(defaults):
    plan = processes(settings(defaults, events=103, signal_fraction=0.5))
    assert [process.number for process in plan] == list(range(len(plan)))
    assert plan[0].slice_number == NO_SLICE
    assert [process.slice_number for process in plan[1:]] == list(range(len(plan) - 1))
    counts = [process.events for process in plan[1:]]
    assert sum(counts) + plan[0].events == 103
    assert max(counts) - min(counts) <= 1


def test_only_signal_or_only_background(defaults):
    assert len(processes(settings(defaults, signal_fraction=1.0))) == 1
    assert all(not process.label for process in processes(settings(defaults, signal_fraction=0.0)))


def test_signal_violates_baryon_number_and_qcd_does_not(defaults):
    signal, _ = generator(defaults, 0).batch(60)
    changes = baryon_number(signal) - 2
    assert set(changes) == {-2, 0, 2}
    assert (changes == 0).mean() == pytest.approx(0.5, abs=0.25)
    qcd, _ = generator(defaults, 1, pt_hat_slices=[600, 800]).batch(30)
    assert set(baryon_number(qcd)) == {2}


def test_energy_and_momentum_are_conserved(defaults):
    particles, _ = generator(defaults, 0).batch(10)
    event = particles.event()
    assert np.bincount(event, particles.energy) == pytest.approx([13000] * 10, rel=1e-4)
    assert np.bincount(event, particles.px) == pytest.approx([0] * 10, abs=0.1)


def test_trials_count_what_was_vetoed(defaults):
    slices = {"pt_hat_slices": [500, 600]}
    _, without = generator(defaults, 1, early_veto=False, **slices).batch(20)
    assert without.tolist() == list(range(1, 21))
    vetoing = generator(defaults, 1, **slices)
    _, trials = vetoing.batch(20)
    assert (np.diff(trials) > 0).all()
    assert trials[-1] == vetoing._pythia.infoPython().nSelected() > 40


def test_cross_section_does_not_depend_on_the_veto(defaults):
    slices = {"pt_hat_slices": [800, 1100]}
    estimates = []
    for veto in (True, False):
        made = generator(defaults, 1, early_veto=veto, **slices)
        made.batch(50)
        estimates.append(made.cross_section())
        assert estimates[-1].points > 400
    for estimate in estimates:
        assert abs(estimate.value - 41.4) < 4 * estimate.error
    # The spread over phase space is a property of the slice: the error falls with its points.
    spreads = [one.error / one.value * np.sqrt(one.points) for one in estimates]
    assert spreads[0] == pytest.approx(spreads[1], rel=0.35)


class Info:
    """What Pythia tells of subprocesses: (value, error, selected, accepted) by code."""

    def __init__(self, processes):
        self.processes = processes

    def codesHard(self):  # noqa: N802
        return list(self.processes)

    def sigmaGen(self, code):  # noqa: N802
        return self.processes[code][0]

    def sigmaErr(self, code):  # noqa: N802
        return self.processes[code][1]

    def nSelected(self, code=0):  # noqa: N802
        return self.processes[code][2] if code else sum(p[2] for p in self.processes.values())

    def nAccepted(self, code=0):  # noqa: N802
        return self.processes[code][3] if code else sum(p[3] for p in self.processes.values())


def test_the_vetos_share_is_taken_out_of_the_error():
    """10 % over phase space, and 20 of 100 events accepted, which Pythia adds."""
    from baryon_hep.generation.events import _relative_error

    error = 3.0 * np.sqrt(0.1**2 + 1 / 20 - 1 / 100)
    assert _relative_error(Info({111: (3.0, error, 100, 20)})) == pytest.approx(0.1)
    two = {111: (3.0, error, 100, 20), 113: (3.0, error, 100, 20)}
    assert _relative_error(Info(two)) == pytest.approx(0.1 / np.sqrt(2))
    rare = {111: (3.0, error, 98, 20), 112: (0.0, 0.0, 2, 0), 123: (0.0, 0.0, 0, 0)}
    accepted = np.sqrt(0.1**2 + 1 / 20 - 1 / 100 - (1 / 20 - 1 / 98))
    assert _relative_error(Info(rare)) == pytest.approx(np.hypot(0.98 * accepted, 0.02))


@pytest.mark.slow
@pytest.mark.extended
def test_the_error_of_the_cross_section_is_its_spread(defaults):
    """Over seeds: of 24 estimates a standard deviation is known to 15 %."""
    pytest.importorskip("pythia8mc")
    from baryon_hep.generation.events import EventGenerator

    process = processes(settings(defaults, pt_hat_slices=[800, 1100]))[1]
    estimates = []
    for seed in range(24):
        made = EventGenerator(process, seed)
        made.batch(20)
        estimates.append(made.cross_section())
    values = np.array([estimate.value for estimate in estimates])
    errors = np.array([estimate.error for estimate in estimates])
    assert values.std(ddof=1) == pytest.approx(np.sqrt((errors**2).mean()), rel=0.45)


def test_same_seed_same_events(defaults):
    first, second = (generator(defaults, 0).batch(3)[0] for _ in range(2))
    np.testing.assert_array_equal(first.px, second.px)


@pytest.mark.parametrize(
    ("command", "message"),
    [("No:such = on", "does not understand 'No:such = on'"), ("HardQCD:all = off", "cannot")],
)
def test_impossible_process_is_one_line(defaults, command, message):
    pytest.importorskip("pythia8mc")
    from baryon_hep.generation.events import EventGenerator

    process = processes(settings(defaults))[1]
    process = replace(process, commands=(*process.commands, command))
    with pytest.raises(BaryonError, match=message) as caught:
        EventGenerator(process, seed=1)
    assert "\n" not in str(caught.value)


def test_thresholds_lie_below_the_preselection():
    for thresholds in (early_veto.AT_SHOWER_SCALE, early_veto.AT_PARTON_LEVEL):
        assert thresholds.leading < 440
        assert thresholds.third < 200
        assert thresholds.eta > 2


@pytest.mark.slow
def test_veto_keeps_what_passes(defaults):
    """The efficiency of the pre-selection, with and without, in a slice where most is vetoed."""
    from baryon_hep.generation.detector import detect
    from baryon_hep.generation.jets import large_radius_jets
    from baryon_hep.generation.selection import passes_preselection

    rates = []
    for veto, batches in ((True, 3), (False, 6)):
        made = generator(defaults, 1, early_veto=veto, pt_hat_slices=[700, 900])
        random, passed = np.random.default_rng(1), 0
        for _ in range(batches):
            particles, trials = made.batch(100)
            towers, _ = detect(particles, random, 2.0)
            passed += int(passes_preselection(large_radius_jets(towers, False)).sum())
        rates.append((passed / trials[-1], np.sqrt(passed) / trials[-1]))
    (with_veto, error), (without, other) = rates
    assert abs(with_veto - without) < 4 * np.hypot(error, other)
