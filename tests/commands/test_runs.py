"""`baryon runs`: the runs of a folder with their answers."""

import os

from baryon.cli import main


def test_runs_are_listed_newest_first_with_their_answers(write_run, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    for number, name in enumerate(("old", "new")):
        path = write_run(tmp_path / "runs" / name, finished=name == "old")
        os.utime(path / "config.yaml", (number, number))
    assert main(["runs", f"root={tmp_path / 'runs'}"]) == 0
    shown = capfd.readouterr().out.splitlines()
    rows = [line for line in shown if "hep_images" in line]
    assert [row.split()[1] for row in rows] == ["new", "old"]
    assert "auc 0.925 ± 0.010" in rows[1]
    assert "finished" in rows[1]
    assert "hep_cnn" in rows[1]
    assert "finished" not in rows[0]


def test_a_folder_without_runs_says_so(tmp_path, capfd):
    assert main(["runs", f"root={tmp_path}"]) == 0
    assert f"no runs in {tmp_path}" in capfd.readouterr().out


def test_a_folder_that_does_not_exist_is_one_line(tmp_path, capfd):
    assert main(["runs", f"root={tmp_path / 'none'}"]) != 0
    assert "there is no such folder" in capfd.readouterr().err


def test_without_a_folder_it_lists_runs(write_run, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "runs" / "only")
    assert main(["runs"]) == 0
    assert "only" in capfd.readouterr().out
