"""The command line: what it prints, the processor time it takes, and what it leaves unimported."""

import json
import resource
import subprocess
import sys

import pytest

from baryon.cli import main
from baryon.commands.table import COMMANDS
from baryon.config.options import NOT_OF_A_RUN
from baryon.plugins.registry import config_options, discover, host_conf

QUICK = (["--help"], ["plugins"], ["train", "--help"], ["show", "model/hep_cnn"])
HEAVY = {"h5py", "matplotlib", "mpi4py", "torch"}


@pytest.mark.parametrize("arguments", QUICK, ids=" ".join)
def test_quick_commands_take_little_processor_time(baryon_process, arguments):
    def user_seconds() -> float:
        """Measure the processor's time, not the clock's: other programs may be running."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        assert baryon_process(*arguments).returncode == 0
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before

    assert min(user_seconds() for _ in range(3)) < 0.5


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], HEAVY | {"hydra", "omegaconf", "numpy", "rich"}),
        (["plugins"], HEAVY | {"hydra", "omegaconf", "numpy"}),
        (["train", "--help"], HEAVY | {"hydra", "omegaconf", "numpy"}),
        (["show", "model/hep_cnn"], HEAVY | {"hydra", "omegaconf", "numpy"}),
        (["train", "experiment=hep_demo", "--cfg", "job"], HEAVY | {"numpy"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_imports_nothing_that_it_does_not_need(arguments, unwanted, environment, tmp_path):
    code = (
        "import json, sys; from baryon.cli import main; main(sys.argv[1:]);"
        "print(); print(json.dumps(list(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    assert "baryon.cli" in imported
    assert imported & unwanted == set()


def test_help_names_every_command(baryon):
    done = baryon("--help")
    assert all(f"  {command.name} " in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_has_help(command, capsys):
    assert main([command, "--help"]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert shown.out.startswith(f"usage: baryon {command}")


def test_no_command_shows_the_help_and_fails(baryon):
    done = baryon()
    assert done.returncode == 2
    assert done.stdout == baryon("--help").stdout


def test_an_unknown_command_is_wrong_usage(baryon_process):
    done = baryon_process("trian")
    assert (done.returncode, done.stdout) == (2, "")
    commands = ", ".join(sorted(command.name for command in COMMANDS))
    assert (
        done.stderr
        == f"baryon: error: no command 'trian'; did you mean 'train'? choose from: {commands}\n"
    )


def test_version_is_the_installed_distributions(baryon_process):
    versions = {plugin.version for plugin in discover().all if plugin.distribution == "baryon"}
    assert {baryon_process("--version").stdout} == {f"baryon {version}\n" for version in versions}


def test_plugins_lists_each_with_origin_components_and_health(baryon):
    shown = baryon("plugins").stdout
    for plugin in discover().all:
        assert f"│ {plugin.name} " in shown
        assert plugin.distribution in shown
        assert all(component.name in shown for component in plugin.components)
    assert shown.count(" ok ") == len(discover().all)


def test_plugins_takes_no_other_argument(baryon):
    done = baryon("plugins", "hep")
    assert done.returncode == 1
    assert done.stderr == "baryon: error: plugins takes no 'hep'; choose from: new\n"


def _options() -> list[tuple[str, str, str]]:
    folders = [(plugin.conf, plugin.name) for plugin in discover().all if plugin.conf]
    found = [
        (*option.split("/"), owner)
        for folder, owner in [(host_conf(), "baryon"), *folders]
        for option in config_options(folder)
        if option.partition("/")[0] not in NOT_OF_A_RUN
    ]
    assert len(found) > 5
    return found


def test_train_help_shows_every_option_of_every_group(baryon):
    rows = (line.split(maxsplit=1) for line in baryon("train", "--help").stdout.splitlines())
    shown = {row[0]: row[1].replace(",", "").split() for row in rows if len(row) == 2}
    for group, name, _ in _options():
        assert name in shown[group]


def test_a_blocked_plugin_is_gone(baryon_process, environment):
    done = baryon_process("plugins", env=environment | {"BARYON_DISABLE": "comm, hep"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "hep" not in done.stdout
    assert "serial" not in done.stdout


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", QUICK, ids=" ".join)
def test_a_reader_that_goes_away_is_no_traceback(environment, arguments, unbuffered):
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from baryon.cli import main; sys.exit(main())",
            *arguments,
        ],
        env=environment | {"PYTHONUNBUFFERED": unbuffered},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()  # before a word is written, as `head` does after its last
        assert process.stderr.read() == b""
    assert process.returncode in (1, 141)
