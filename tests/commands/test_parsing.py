"""Arguments of a command: what its entry in the table allows, and what it refuses in one line."""

import pytest

from baryon.commands.kinds import Choice
from baryon.commands.parsing import find, parse, wants_help
from baryon.commands.table import COMMANDS, EXPORT
from baryon.errors import BaryonError
from baryon.export.formats import FORMATS


def parsed(line: str):
    command, rest = find(COMMANDS, line.split())
    assert command is not None
    return parse(command, rest)


def error(line: str) -> str:
    with pytest.raises(BaryonError) as raised:
        parsed(line)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    "flag",
    [
        "--experiment=hep_demo",  # a beginning of Hydra's --experimental-rerun, which unpickles
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
def test_a_flag_that_is_not_baryons_is_refused(flag):
    said = error(f"train {flag} experiment=hep_demo")
    assert said.startswith(("unrecognized arguments: ", "argument --c"))
    assert "the flags are -m, --multirun, " in said


def test_flags_are_taken_where_they_are_of_use_alone():
    assert error("data repack file=a.h5 out=b.h5 -m").startswith("unrecognized arguments: -m")
    assert error("evaluate run=a --cfg") == "'--cfg' is not of the form key=value"


def test_values_are_read_by_their_kind():
    arguments = parsed("watch run=runs/a port=0")
    assert arguments.values == {"run": "runs/a", "sweep": None, "port": 0}
    assert parsed("predict run=a input=[x.h5,y*.h5] seed=2")["input"] == ["x.h5", "y*.h5"]
    assert parsed("predict run=a input=x.h5 seed=2").overrides == ["seed=2"]
    assert parsed("report run=a run=b")["run"] == ["a", "b"]
    assert parsed("show model=hep_cnn")["option"] == "model=hep_cnn"
    assert parsed("plugins new mine out=x")["name"] == "mine"


def test_keys_of_a_config_that_a_command_needs_stay_overrides():
    arguments = parsed("data repack out=b.h5 file=a.h5 level=2 --cfg job")
    assert arguments.overrides == ["out=b.h5", "file=a.h5", "level=2"]
    assert (arguments["file"], arguments["cfg"]) == ("a.h5", "job")


def test_the_command_that_another_starts_is_left_to_it():
    arguments = parsed("launch ranks=2 train experiment=hep_demo --cfg job")
    assert arguments["ranks"] == 2
    assert arguments.rest == ["train", "experiment=hep_demo", "--cfg", "job"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("evaluate", "give run=<dir>"),
        ("evaluate run=", "give run=<dir>"),
        ("evaluate run=a run=b", "run= is given twice"),
        ("evaluate run=a weights=bset", "weights=bset is not known; did you mean 'best'? choose"),
        ("resume run=a seed=2", "resume cannot change 'seed'; choose from: run, versions, comm=, "),
        ("resume run=a versions=old", "versions=old is not known; choose from: any"),
        ("reproduce run=a tolerance=nan", "tolerance=nan must be a number, 0 or more"),
        ("reproduce run=a folder=nowhere", "folder=nowhere: there is no such folder"),
        ("data check samples=0", "samples=0 must be a whole number from 1 to "),
        ("data chek x=1", "data takes no 'chek'; did you mean 'check'? choose from: check, gen"),
        ("launch train", "give ranks=<N>"),
        ("launch ranks=x train", "ranks=x must be a whole number from 1 to "),
        ("completion fish", "fish is not known; choose from: bash, zsh"),
        ("watch port=3", "give run=<dir> or sweep=<dir>, one of them"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(line, says):
    assert error(line).startswith(says)


def test_help_is_shown_for_the_command_that_is_asked():
    command, rest = find(COMMANDS, ["launch", "ranks=2", "train", "--help"])
    assert command is not None
    assert not wants_help(command, rest)
    command, rest = find(COMMANDS, ["data", "check", "dataset=x", "-h"])
    assert command is not None
    assert command.name == "data check"
    assert wants_help(command, rest)


def test_the_formats_of_export_are_those_that_it_can_write():
    kind = EXPORT.arguments[1].kind
    assert isinstance(kind, Choice)
    assert sorted(kind.words) == sorted(FORMATS)
