"""A profile of a few steps, or none and the reason."""

import pytest
import torch

from baryon.training.profiling import profiling


@pytest.mark.parametrize("steps", [1, 3, 5, 6, 8])
def test_it_is_of_as_many_steps_as_it_says_or_not_there(tmp_path, capsys, steps):
    with profiling(True, torch.device("cpu"), tmp_path) as next_step:
        for _ in range(steps):
            torch.ones(3).cumsum(0)
            next_step()
    said = capsys.readouterr().out
    if steps < 6:
        assert f"train.profile wants 6 steps, the run had {steps}: no profile" in said
        assert not list(tmp_path.iterdir())
        return
    assert "profile of 3 steps" in said
    (line,) = [
        one
        for one in (tmp_path / "profile" / "table.txt").read_text().splitlines()
        if "cumsum" in one
    ]
    assert line.split()[-1] == "3"  # calls
    assert (tmp_path / "profile" / "trace.json").stat().st_size > 0
