"""`baryon show` says what there is, and all of an option."""

import pytest

from baryon.cli import main
from baryon.config.options import Options
from baryon.plugins.registry import discover

OPTIONS = Options(discover())


def rows(text: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}


def test_all_groups_with_how_many_options_they_have(baryon):
    shown = rows(baryon("show").stdout)
    for group in {option.group for option in OPTIONS.all}:
        assert shown[group][0] == str(len(OPTIONS.of(group)))


@pytest.mark.parametrize("group", sorted({option.group for option in OPTIONS.all}))
def test_the_options_of_a_group_with_meaning_and_owner(capsys, group):
    assert main(["show", group]) == 0
    shown = rows(capsys.readouterr().out)
    for option in OPTIONS.of(group):
        *meaning, owner = shown[f"{group}={option.name}"]
        assert meaning
        assert owner == option.owner


def test_an_option_with_its_keys_and_what_its_author_wrote(baryon):
    done = baryon("show", "model/hep_cnn")
    shown = rows(done.stdout)
    assert shown["from"][:3] == ["plugin", "hep", "(baryon"]
    assert shown["model.filters"][:3] == ["128", "channels", "of"]
    assert "model.name" not in shown
    assert "Raises\n------\nBaryonError\n" in done.stdout
    assert baryon("show", "model=hep_cnn").stdout == done.stdout


def test_an_experiment_says_what_it_chooses_and_sets(baryon):
    done = baryon("show", "experiment/hep_demo")
    assert "chooses dataset=hep_images, model=hep_cnn\n" in done.stdout
    assert rows(done.stdout)["train.epochs"][:1] == ["8"]


def test_a_generator_is_documented_by_what_it_calls(baryon):
    shown = baryon("show", "generate/hep_images").stdout
    assert "baryon_hep.generation.generate:generate (" in shown
    assert rows(shown)["generate.signal_fraction"][0] == "0.5"


def test_the_hosts_own_keys(baryon):
    shown = rows(baryon("show", "config").stdout)
    assert {"seed", "run.root", "data.prefetch"} <= set(shown)
    assert not [key for key in shown if key.startswith(("hydra", "defaults"))]


def test_an_overlay_has_the_keys_of_what_it_starts_from(baryon, environment, install):
    files = {
        "__init__.py": "from baryon import hookimpl\n\n@hookimpl\ndef baryon_models():\n"
        "    return {'base_net': 'PACKAGE.net:net'}\n",
        "net.py": "import no_such_library\n\n"
        'def net(*, width: int, depth: int):\n    """A net."""\n',
        "conf/model/base_net.yaml": "# A net\nname: base_net\nwidth: 64  # of a layer\n"
        "# Layers, all of\n# one width\ndepth: 2\n",
        "conf/experiment/nets.yaml": "# @package _global_\n# Nets\n"
        "defaults:\n  - override /model: thin_net\ntrain:\n  epochs: 3\n",
        "conf/experiment/small_nets.yaml": "# @package _global_\n# The same\n"
        "defaults: [nets, _self_]\nseed: 2\n",
        "conf/model/thin_net.yaml": "# A thin one\ndefaults: [base_net, _self_]\nwidth: 8\n",
    }
    path = {"PYTHONPATH": str(install({"nets": {"nets": files}}))}
    shown = baryon("show", "experiment/small_nets", env=environment | path).stdout
    assert "chooses model=thin_net\n" in shown
    assert rows(shown)["train.epochs"] == ["3"]
    words = baryon(
        "completion", "words", "baryon train experiment=small_nets model.", env=environment | path
    )
    assert words.stdout.split() == ["model.depth=", "model.width="]
    shown = baryon("show", "model/thin_net", env=environment | path).stdout
    assert "starts from model=base_net\n" in shown
    assert rows(shown)["model.width"] == ["8", "of", "a", "layer"]
    assert rows(shown)["model.depth"] == ["2", "Layers,", "all", "of", "one", "width"]
    assert shown.endswith("A net.\n")  # read, not imported


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["modle"], "there is no group 'modle' of options; did you mean 'model'? choose from: "),
        (["model/hep"], "no option model=hep; did you mean 'hep_cnn'? choose from: "),
        (["model", "loss"], "show takes one <group>[/<option>], not 'loss' as well"),
    ],
    ids=str,
)
def test_what_is_not_there_is_one_line(capsys, arguments, says):
    assert main(["show", *arguments]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(f"baryon: error: {says}")
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize("plugin", [plugin.name for plugin in discover().all])
def test_every_shipped_key_can_be_shown(plugin):
    for option in OPTIONS.all:
        if option.owner == plugin:
            assert all(key.default for key in OPTIONS.keys(option))
