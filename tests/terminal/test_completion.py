"""Words are completed: by what can stand there, in real shells, at once."""

import re
import resource
import shutil
import subprocess
import sys

import pytest

from baryon.commands.shell_completion.candidates import candidates
from baryon.commands.table import COMMANDS

FOUND = {
    "baryon ": [*(command.name for command in COMMANDS), "--help", "--version"],
    "baryon tr": ["train"],
    "baryon nope ": [],
    "baryon train mod": ["model="],
    "baryon train loss=": ["loss=hep_cross_entropy"],
    "baryon train dataset=hep_r": ["dataset=hep_rpv_susy"],
    "baryon train train.lear": ["train.learning_rate="],
    "baryon train data.pre": ["data.prefetch="],
    "baryon train model.": [],
    "baryon train model=hep_cnn model.": ["model.dropout=", "model.filters=", "model.leakiness="],
    "baryon train experiment=hep_demo model.d": ["model.dropout="],
    "baryon train experiment=hep_demo loss.": ["loss.weighting="],
    "baryon train dataset=hep_images evaluator.b": ["evaluator.bootstrap="],
    "baryon train -m comm=sync,hy": ["comm=sync,hybrid"],
    "baryon launch ": ["--help", "ranks="],
    "baryon launch ranks=2 tr": ["train"],
    "baryon launch ranks=2 train comm=hybrid comm.se": ["comm.servers="],
    "baryon evaluate run=x split=t": ["split=test", "split=train"],
    "baryon data sh": ["show"],
    "baryon data generate dataset=": ["dataset=hep_images"],
    "baryon data generate dataset=hep_images generate.ev": ["generate.events="],
    "baryon data check dataset=hep_images dataset.tr": ["dataset.train="],
    "baryon data repack fi": ["file="],
    "baryon show model/he": ["model/hep_cnn"],
    "baryon completion ": ["--help", "bash", "zsh"],
    "baryon plugins n": ["new"],
    "baryon train 'dataset.train=a": [],
}


@pytest.mark.parametrize("line", FOUND)
def test_what_can_stand_there(line):
    assert set(FOUND[line]) <= set(candidates(line))
    if line not in ("baryon ",) and not line.endswith(("=", ".")):
        assert candidates(line) == sorted(FOUND[line])


def test_runs_are_found_in_their_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("runs/one", "runs/two", "else/three"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "config.yaml").write_text("seed: 1\n")
    (tmp_path / "runs" / "no_run").mkdir()
    assert candidates("baryon resume run=") == ["run=runs/one", "run=runs/two"]
    assert candidates("baryon evaluate run=else/") == ["run=else/three"]


@pytest.mark.parametrize("line", ["baryon ", "baryon train experiment=hep_demo model."])
def test_it_takes_well_under_half_a_second(baryon, line):
    def spent() -> float:
        """Of the processor's time: others may have it as well."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = spent()
    for _ in range(3):
        assert baryon("completion", "words", line).returncode == 0
    assert (spent() - before) / 3 < 0.35


def test_it_imports_neither_hydra_nor_what_is_heavy():
    code = (
        "import sys; from baryon.commands.shell_completion.candidates import candidates;"
        "candidates('baryon train experiment=hep_demo model.');"
        "print(*{'hydra', 'numpy', 'omegaconf', 'rich', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(baryon completion bash)"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -U compinit; compinit -u -D; source <(baryon completion zsh)",
    ),
}
TYPED = {
    "baryon tra": "baryon train ",
    "baryon train mode": "baryon train model=",
    "baryon train model=hep_c": "baryon train model=hep_cnn ",
    "baryon train model=hep_cnn model.fil": "baryon train model=hep_cnn model.filters=",
    "baryon launch ranks=2 train comm=hy": "baryon launch ranks=2 train comm=hybrid ",
    "baryon show model/h": "baryon show model/hep_cnn ",
    "baryon data repack file=eve": "baryon data repack file=events.h5",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_what_is_typed(terminal, shell, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed here: apt-get install {shell}")
    command, script = SHELLS[shell]
    (tmp_path / "events.h5").touch()
    with terminal(*command, columns=200, PS1="$ ", HOME=str(tmp_path)) as shown:
        shown.type(f"cd {tmp_path}; {script}; echo re''ady\r")
        shown.read(until="ready\r\n")
        for typed, completed in TYPED.items():
            # The line is completed, then made the text of an echo from its beginning to its end.
            shown.type(f"{typed}\t\x05]'\x01echo '[\r")
            answer = re.search(r"[\r\n]\[(baryon.*)\]\r\n", shown.read(until="]\r\n"))
            assert answer
            assert answer[1] in (completed, f"{completed} ")


@pytest.mark.parametrize("name", ["x$(touch ran)", "a;b", "a b", "`x`", "a\nb", "a'b", "x>y", "*"])
def test_names_that_a_shell_would_obey_are_not_offered(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for run in ("good-1.2+x", name):
        (tmp_path / "runs" / run).mkdir(parents=True)
        (tmp_path / "runs" / run / "config.yaml").write_text("seed: 1\n")
    assert candidates("baryon report run=") == ["run=runs/good-1.2+x"]
