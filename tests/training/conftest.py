"""The section `train` as it is shipped, to be changed by a test; commands in the tests' process."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from baryon.cli import main
from baryon.config.schemas import Train
from baryon.plugins.registry import host_conf

sys.path.insert(0, str(Path(__file__).parent / "checkpoints"))  # for checkpoint_states


@pytest.fixture(scope="session")
def train() -> Callable[..., Train]:
    """`train(precision="bf16")`: the defaults, with these changes, on the CPU."""
    defaults = OmegaConf.to_container(OmegaConf.load(host_conf() / "train" / "default.yaml"))

    def section(**changes) -> Train:
        small = {"device": "cpu", "compile": "never", "learning_rate": 1e-2}
        return Train(**{**defaults, "weight_decay": 0.0, **small, **changes})

    return section


@pytest.fixture
def command(tmp_path, monkeypatch, cache, capsys) -> Callable[..., SimpleNamespace]:
    """Run `baryon <arguments>` in this process, which saves starting one as `baryon` does."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))

    def run(*arguments: str, cwd: Path = tmp_path) -> SimpleNamespace:
        monkeypatch.chdir(cwd)
        capsys.readouterr()
        try:
            code = main(list(arguments))
        except SystemExit as end:
            code = end.code
        said = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=said.out, stderr=said.err)

    return run
