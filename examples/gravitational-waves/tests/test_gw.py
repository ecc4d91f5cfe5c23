"""The plugin keeps Baryon's contract, and its physics is right."""

import numpy as np
import pytest
import torch
from baryon.testing import check_plugin, check_training

from baryon_gw import physics
from baryon_gw.evaluator import GwEfficiency
from baryon_gw.generate import generate


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strain")
    windows = {"train": 64, "val": 32, "test": 32}
    generate(out=str(folder), windows=windows, chirp_mass=[8, 25], snr=[3, 12], seed=1)
    return folder


def test_it_keeps_the_contract():
    check_plugin("gw")


def test_its_parts_go_together(files):
    splits = [f"dataset.{name}={files}/{name}.h5" for name in ("train", "val", "test")]
    check_training("experiment=gw_demo", *splits)


def test_a_binary_of_two_neutron_stars_takes_as_long_as_in_the_textbooks():
    # 1.4 + 1.4 solar masses, chirp mass 1.22: about 160 s from 20 Hz on (leading order).
    assert physics.seconds_to_merger(20.0, 1.2188) == pytest.approx(159, rel=0.02)


def test_the_chirp_rises_to_the_last_orbit():
    # f_isco = 4.4 kHz / (total mass in suns)
    assert physics.last_frequency(8.7055) == pytest.approx(4397 / 20, rel=0.01)
    wave = physics.chirp(20.0, merger=0.9, phase=0.0)
    early, late = (np.abs(np.fft.rfft(part)).argmax() for part in (wave[:461], wave[461:922]))
    assert early < late


def test_noise_is_white_with_variance_one_in_the_band():
    noise = physics.noise(np.random.default_rng(1), 400)
    power = (np.abs(np.fft.rfft(noise)) ** 2).mean(axis=0) / physics.WINDOW
    assert power[25:500] == pytest.approx(np.ones(475), abs=0.3)
    assert power[:15].max() < 0.1


def test_the_matched_filter_finds_the_snr_that_was_put_in():
    bank = physics.template_bank((8, 25), 40)
    wave = np.stack([physics.chirp(m, merger=0.8, phase=1.0) for m in (9.0, 15.0, 24.0)])
    assert physics.matched_filter(10 * wave, bank) == pytest.approx(np.full(3, 10.0), rel=0.05)


def test_that_all_chirps_are_found_is_no_certainty():
    evaluator = GwEfficiency(false_alarm_seconds=10, templates=2, chirp_mass=[8, 25])
    label = torch.arange(200) % 2
    noise = physics.noise(np.random.default_rng(1), 200).astype(np.float32)
    batch = {"inputs": torch.from_numpy(noise[:, None]), "keys": torch.arange(200), "label": label}
    evaluator.update(label.float(), {**batch, "snr": torch.linspace(3, 12, 200) * label})
    metrics = evaluator.result().metrics
    assert metrics["efficiency"] == 1
    assert metrics["efficiency_error"] == pytest.approx((101 / 103) ** 0.5 / 102)


def test_the_same_seed_gives_the_same_files(files, tmp_path):
    again = {"train": 64, "val": 32, "test": 32}
    generate(out=str(tmp_path), windows=again, chirp_mass=[8, 25], snr=[3, 12], seed=1)
    for split in again:
        assert (tmp_path / f"{split}.h5").read_bytes() == (files / f"{split}.h5").read_bytes()
