"""Flags of a command line: Baryon's own alone reach Hydra."""

import pytest

from baryon.config.config import compose
from baryon.errors import BaryonError
from baryon.plugins.registry import discover


@pytest.mark.parametrize(
    "flag",
    [
        "--experiment=hep_demo",  # a beginning of --experimental-rerun, which unpickles a file
        "--experimental-rerun=config.pickle",
        "--resolve",
        "--shell-completion",
        "-sc",
        "--hydra-help",
        "--version",
        "--config-name=other",
        "--config-path=/",
        "--info",
        "--run",
        "--multi",
    ],
)
def test_a_flag_that_is_not_baryons_is_refused_in_one_line(flag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BaryonError) as raised:
        compose("config", [flag, "experiment=hep_demo"], print, discover())
    assert str(raised.value).startswith(("unrecognized arguments: ", "argument --c"))
    assert "the flags are -m, --multirun, " in str(raised.value)
    assert "\n" not in str(raised.value)
