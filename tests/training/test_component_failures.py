"""A component that fails in the middle of a training is one line; the traceback is in the run."""

import pytest

from baryon.cli import main

HOOK = """
from baryon import hookimpl

@hookimpl
def baryon_models():
    return {"acme_late": "acme_late.net:net"}
"""
NET = '''\
"""A net whose third step fails."""

import torch


class Net(torch.nn.Sequential):
    steps = 0

    def forward(self, inputs):
        if self.training:
            self.steps += 1
        if self.steps == 4:  # one is the trial before the training
            self.fail()
        return super().forward(inputs)

    def fail(self):
        return torch.zeros(2) @ torch.zeros(3)


def net(*, first, fields):
    if first:
        raise KeyError('nothing')
    return Net(torch.nn.Flatten(), torch.nn.Linear(3 * 64 * 64, 2))
'''.replace("*, first,", "*, first: bool,")


@pytest.fixture
def acme_late(tmp_path, monkeypatch, environment):
    package, record = tmp_path / "site" / "acme_late", tmp_path / "site" / "acme_late-1.dist-info"
    (package / "conf" / "model").mkdir(parents=True)
    record.mkdir()
    (package / "__init__.py").write_text(HOOK)
    (package / "net.py").write_text(NET)
    (package / "conf" / "model" / "acme_late.yaml").write_text("# Late\nfirst: false\n")
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-late\nVersion: 1\n")
    (record / "entry_points.txt").write_text("[baryon]\nacme_late = acme_late\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    for key in ("XDG_CACHE_HOME", "NO_COLOR"):
        monkeypatch.setenv(key, environment[key])


def test_a_model_that_fails_in_a_step_is_named_with_its_line(
    acme_late, hep_files, tmp_path, capsys, monkeypatch
):
    given = ("model=acme_late", "train.steps=9", "run.name=late", "train.compile=never")
    files = [word for word in hep_files if not word.startswith("model")]
    assert main(["train", *files, *given]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    number = NET.splitlines().index("        return torch.zeros(2) @ torch.zeros(3)") + 1
    assert line.startswith("baryon: error: model 'acme_late' of plugin 'acme_late' failed: Runt")
    place = f"(acme_late/net.py:{number})"
    assert line.endswith(f"{place}; the traceback is in runs/late/traceback.txt")
    trace = (tmp_path / "runs" / "late" / "traceback.txt").read_text()
    assert trace.startswith("Traceback (most recent call last):")
    assert "return torch.zeros(2) @ torch.zeros(3)" in trace
    monkeypatch.setenv("BARYON_TRACEBACK", "1")
    assert main(["train", *files, *given[:2], "run.name=again", "model.first=true"]) == 1
    said = capsys.readouterr().err
    assert "    raise KeyError" in said
    number = NET.splitlines().index("        raise KeyError('nothing')") + 1
    expected = f"built with these values: KeyError: 'nothing' (acme_late/net.py:{number})"
    assert expected in said
