"""The files: layout, labels as synthetic, the same bytes always, going on, refusals."""

import json
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from baryon.errors import BaryonError
from baryon_climate.fields import CHANNELS, NAMES
from baryon_climate.generation import generate as module
from baryon_climate.generation.generate import generate
from baryon_climate.generation.label_noise import LabelNoise
from baryon_climate.generation.settings import even_step
from baryon_climate.generation.year_file import rounded, stored_order

BARYON = Path(sys.executable).parent / "baryon"


@pytest.fixture(scope="module")
def made(small, tmp_path_factory, generate_here):
    folder = tmp_path_factory.mktemp("made")
    generate_here(**small | {"out": str(folder)})
    return folder


def test_a_year_is_a_file_in_the_layout_of_extreme_weather(made):
    assert sorted(path.name for path in made.iterdir()) == [
        "climo_1979.h5",
        "climo_1980.h5",
        "generation.json",
    ]
    with h5py.File(made / "climo_1979.h5") as file:
        images, boxes = file["images"], file["boxes"]
        assert (images.shape, images.dtype) == ((5, 16, 48, 72), np.dtype("<f4"))
        assert (images.compression, images.shuffle, images.chunks) == (
            "gzip",
            True,
            (1, 16, 48, 72),
        )
        assert (boxes.shape, boxes.dtype) == ((5, 15, 5), np.dtype("<i4"))
        values = images[:]
        for number, channel in enumerate(CHANNELS):
            low, high = channel.plausible
            assert low <= values[:, number].min() < values[:, number].max() <= high, channel.name
        used = boxes[:][(boxes[:] != -1).any(axis=2)]
        ymin, xmin, ymax, xmax, kind = used.T
        assert len(used) > 5
        assert ((ymin >= 0) & (ymin < ymax) & (ymax < 48) & (xmin >= 0) & (xmin < 72)).all()
        assert ((xmax > xmin) & (xmax < xmin + 72)).all()
        assert set(kind) <= {0, 1, 2, 3}


def test_a_file_says_that_it_is_synthetic(made):
    with h5py.File(made / "climo_1980.h5") as file:
        attributes = dict(file.attrs)
    assert attributes["title"].startswith("SYNTHETIC")
    assert "no climate model" in attributes["synthetic"]
    assert list(attributes["channels"]) == list(NAMES)
    assert "generate.seed=1" in attributes["history"]
    assert json.loads((made / "generation.json").read_text())["synthetic"] is True


def test_workers_and_interruptions_change_no_byte(made, small, tmp_path, monkeypatch):
    def interrupted(work, tasks, workers, report):
        work(*tasks[1], report)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.worker_pool, "run", interrupted)
        with pytest.raises(BaryonError, match="run the same command again to go on"):
            generate(**small | {"out": str(tmp_path / "again")})
    assert len(list((tmp_path / "again/parts").glob("*.zip"))) == 1
    generate(**small | {"out": str(tmp_path / "again"), "workers": 2})
    for year in (1979, 1980):
        with (
            h5py.File(made / f"climo_{year}.h5") as one,
            h5py.File(tmp_path / f"again/climo_{year}.h5") as other,
        ):
            np.testing.assert_array_equal(one["images"][:], other["images"][:])
            np.testing.assert_array_equal(one["boxes"][:], other["boxes"][:])


def test_a_year_that_is_there_is_not_made_again(made, small, tmp_path, monkeypatch, generate_here):
    def stopped_in_joining(work, tasks, workers, report):
        for task in tasks if work is module.make_part else tasks[:1]:
            work(*task, report)
        if work is module.join:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.worker_pool, "run", stopped_in_joining)
        with pytest.raises(BaryonError, match="interrupted"):
            generate(**small | {"out": str(tmp_path)})
    (first,) = tmp_path.glob("climo_*.h5")
    before = first.stat()
    generate_here(**small | {"out": str(tmp_path)})
    assert first.stat() == before
    with h5py.File(made / "climo_1980.h5") as one, h5py.File(tmp_path / "climo_1980.h5") as other:
        np.testing.assert_array_equal(one["images"][:], other["images"][:])


@pytest.mark.slow
@pytest.mark.parametrize("kib", [150, 270])
def test_a_full_disk_is_one_line_and_can_be_gone_on_from(small, tmp_path, kib, generate_here):
    """Files may be no larger: first a part does not fit, then the year's file."""
    command = [BARYON, "data", "generate", "dataset=climate_extreme_weather", "generate.workers=1"]
    keys = ("frames", "step_hours", "height", "part_frames")
    command += [f"generate.{key}={small[key]}" for key in keys]
    command += ["generate.years=1979", f"generate.out={tmp_path / 'out'}"]
    limited = ["bash", "-c", f'ulimit -f {kib}; exec "$@"', "bash", *command]
    done = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    (error,) = [line for line in done.stderr.splitlines() if "error:" in line]
    assert "cannot write" in error
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out/climo_1979.h5").exists()
    generate_here(**small | {"years": "1979", "out": str(tmp_path / "out")})
    assert (tmp_path / "out/climo_1979.h5").exists()


def test_finished_frames_stay(made, small, capsys):
    before = (made / "climo_1979.h5").stat()
    generate(**small | {"out": str(made)})
    assert "nothing to do" in capsys.readouterr().out
    assert (made / "climo_1979.h5").stat() == before
    with pytest.raises(BaryonError, match="seed 1 not 2"):
        generate(**small | {"out": str(made), "seed": 2})


def test_foreign_files_stay(small, tmp_path):
    (tmp_path / "climo_1984.h5").write_text("not ours")
    with pytest.raises(BaryonError, match=r"holds climo_1984\.h5 but no generation\.json"):
        generate(**small | {"out": str(tmp_path)})
    assert (tmp_path / "climo_1984.h5").read_text() == "not ours"


def test_what_the_user_keeps_in_the_folder_of_the_parts_stays(small, tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "thesis.tex").write_text("precious")
    generate(**small | {"out": str(tmp_path), "years": 1979, "frames": 1, "step_hours": 6})
    assert [file.name for file in (tmp_path / "parts").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}", '{"settings": 3}', "[" * 10_000])
def test_damaged_records_are_one_line(small, tmp_path, text):
    for name in ("generation.json", "parts/settings.json"):
        record = tmp_path / name.replace("/", "-") / name
        record.parent.mkdir(parents=True)
        record.write_text(text)
        out = record.parent if name == "generation.json" else record.parent.parent
        with pytest.raises(BaryonError, match=re.escape(record.name)) as error:
            generate(**small | {"out": str(out)})
        assert "\n" not in str(error.value)


def test_a_damaged_part_is_one_line(small, tmp_path, monkeypatch):
    def damaging(work, tasks, workers, report):
        done(work, tasks, workers, report)
        if work is module.make_part:
            part = tasks[0][0].file
            part.write_bytes(part.read_bytes()[:-40])

    done = module.worker_pool.run
    monkeypatch.setattr(module.worker_pool, "run", damaging)
    with pytest.raises(BaryonError, match=r"climo_1979-00000\.zip is damaged \(BadZipFile"):
        generate(**small | {"out": str(tmp_path), "years": 1979, "frames": 1, "step_hours": 6})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("frames", 293),
        ("frames", 0),
        ("step_hours", 0),
        ("height", 50),
        ("height", 16),
        ("significant_bits", 24),
        ("seed", -1),
        ("part_frames", 0),
        ("label_jitter", -0.1),
        ("label_misses", 1.1),
        ("label_false_alarms", -1.0),
        ("workers", 0),
    ],
)
def test_settings_that_make_no_sense_are_named(small, tmp_path, key, value):
    with pytest.raises(BaryonError, match=f"^generate.{key}: .*{value}"):
        generate(**small | {"out": str(tmp_path), key: value})


def test_few_frames_lie_all_over_the_year():
    assert even_step(None) == 6
    assert even_step(80) == 109
    assert 80 * even_step(80) <= 8760 < 81 * even_step(80) + 109


def test_rounding_keeps_so_many_bits_to_the_nearest():
    values = np.random.default_rng(1).normal(0, 1e4, 10_000).astype(np.float32)
    kept = rounded(values.copy(), 12)
    assert (np.abs(kept - values) <= np.abs(values) * 2.0**-13).all()
    assert (kept.view(np.uint32) & 0x7FF == 0).all()
    np.testing.assert_array_equal(rounded(values.copy(), 23), values)


def test_frames_of_another_version_of_the_generator_stay(
    small, tmp_path, monkeypatch, generate_here
):
    few = small | {"out": str(tmp_path), "years": "1979", "frames": 1}
    generate_here(**few)
    monkeypatch.setattr(module, "VERSION", 99)
    with pytest.raises(BaryonError, match="weather 4 not 99"):
        generate(**few)


def test_labels_are_the_truth_unless_noise_is_asked_for(made, small, tmp_path, generate_here):
    noise = {"label_jitter": 0.1, "label_misses": 0.3, "label_false_alarms": 1.0}
    generate_here(**small | {"out": str(tmp_path)} | noise)
    with h5py.File(made / "climo_1979.h5") as exact, h5py.File(tmp_path / "climo_1979.h5") as file:
        np.testing.assert_array_equal(exact["images"][:], file["images"][:])
        assert not np.array_equal(exact["boxes"][:], file["boxes"][:])
        assert json.loads(file.attrs["label_noise"])["misses"] == 0.3
        assert json.loads(exact.attrs["label_noise"]) == {
            "jitter": 0.0,
            "misses": 0.0,
            "false_alarms": 0.0,
        }


def test_label_noise_misses_invents_and_scatters_as_it_says():
    boxes = np.full((15, 5), -1, np.int32)
    boxes[:8] = [(20, 30 + 10 * number, 40, 60 + 10 * number, number % 4) for number in range(8)]
    random = np.random.default_rng(1)

    def used(noise: LabelNoise) -> np.ndarray:
        frames = np.stack([noise.applied(boxes, 96, 144, random) for _ in range(300)])
        return frames[frames[..., 4] >= 0]

    assert len(used(LabelNoise(0, 0.25, 0))) / 300 == pytest.approx(6, rel=0.05)
    assert len(used(LabelNoise(0, 0, 2.0))) / 300 == pytest.approx(10, rel=0.05)
    scattered = used(LabelNoise(0.1, 0, 0))
    assert scattered[:, 0].std() == pytest.approx(2, rel=0.1)  # a tenth of 20 rows
    height = scattered[:, 2] - scattered[:, 0]
    width = scattered[:, 3] - scattered[:, 1]
    assert height.mean() == pytest.approx(20, rel=0.05)
    assert width.mean() == pytest.approx(30, rel=0.05)
    assert ((scattered[:, 1] >= 0) & (scattered[:, 1] < 144)).all()
    assert (height >= 2).all()
    assert (scattered[:, 2] <= 95).all()


def test_the_other_order_of_columns():
    boxes = np.array([[[1, 2, 3, 4, 0]]], np.int32)
    assert stored_order(boxes, "ymin_ymax_xmin_xmax").tolist() == [[[1, 3, 2, 4, 0]]]
