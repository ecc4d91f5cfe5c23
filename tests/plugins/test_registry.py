"""Whatever is wrong with an installed plugin is one line that says who and what to do."""

import pytest

MODEL_HOOK = """
from baryon import hookimpl

@hookimpl
def baryon_models():
    return {"%s": "PACKAGE.model:model"}
"""

MODEL = '''
import torch

def model(*, width: int, fields):
    """A line."""
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(2))
'''


def _model(name: str, yaml: str, source: str = MODEL) -> dict[str, str]:
    return {
        "__init__.py": MODEL_HOOK % name,
        "model.py": source,
        f"conf/model/{name}.yaml": yaml,
    }


def _hook(text: str) -> dict[str, str]:
    return {"__init__.py": f"from baryon import hookimpl\n\n@hookimpl\n{text}\n"}


DISTRIBUTIONS = {
    "faults": {
        "broken": {"__init__.py": "import no_such_library"},
        "loud": {"__init__.py": "raise RuntimeError('two\\nlines')"},
        "misspelt": _hook("def baryon_model():\n    return {}"),
        "raising": _hook("def baryon_models():\n    raise KeyError('two\\nlines')"),
        "listing": _hook("def baryon_models():\n    return ['acme_mlp']"),
        "forgetful": _hook("def baryon_models():\n    pass"),
        "dotted": _hook("def baryon_models():\n    return {'acme_mlp': 'acme.mlp.AcmeMLP'}"),
        "arguing": _hook("def baryon_models(config):\n    return {}"),
        "bare": {"__init__.py": MODEL_HOOK % "bare_mlp"},
        "drifted": _model("drifted_mlp", "# Drifted\nwidht: 3\n"),
        "mistyped": _model("mistyped_mlp", "# Mistyped\nwidth: wide\n"),
        "unbuilt": _model("unbuilt_mlp", "# Unbuilt\nwidth: 3\n", "import no_such_library"),
        "garbled": _model("garbled_mlp", "# Garbled\nwidth: [3\n"),
        "shadow": {"__init__.py": "", "conf/model/hep_cnn.yaml": "filters: 1\n"},
        "usurper": {"__init__.py": "", "conf/train/default.yaml": "epochs: 1\n"},
    },
    "left": {"twin": {"__init__.py": ""}, "west": _model("same_mlp", "width: 3\n")},
    "right": {"twin": {"__init__.py": ""}, "east": _model("same_mlp", "width: 3\n")},
}
ALL = {plugin for plugins in DISTRIBUTIONS.values() for plugin in plugins}


@pytest.fixture(scope="module")
def installed(install):
    return install(DISTRIBUTIONS)


@pytest.fixture
def error(baryon, environment, installed):
    """The one line that `baryon <arguments>` fails with when only these plugins are let in."""

    def run(plugins: str, *arguments: str) -> str:
        blocked = ",".join(ALL - set(plugins.split()))
        changes = {"PYTHONPATH": str(installed), "BARYON_DISABLE": blocked}
        done = baryon(*arguments, env=environment | changes)
        assert done.returncode == 1
        assert done.stderr.startswith("baryon: error: ")
        assert done.stderr.count("\n") == 1
        return done.stderr

    return run


@pytest.mark.parametrize(
    "arguments",
    [["plugins"], ["train", "experiment=hep_demo", "--cfg", "job"]],
    ids=" ".join,
)
def test_with_all_of_them_blocked_nothing_is_wrong(baryon, environment, installed, arguments):
    changes = {"PYTHONPATH": str(installed), "BARYON_DISABLE": ", ".join(ALL)}
    done = baryon(*arguments, env=environment | changes)
    assert (done.returncode, done.stderr) == (0, "")
    assert "hep_cnn" in done.stdout
    assert not any(plugin in done.stdout for plugin in ALL)


UNUSABLE = {
    "broken": "plugin 'broken' (faults 0.1) failed to import faults_broken: ModuleNotFoundError: "
    "No module named 'no_such_library'; repair it, or block it with BARYON_DISABLE=broken",
    "loud": "plugin 'loud' (faults 0.1) failed to import faults_loud: RuntimeError: two lines",
    "misspelt": "plugin 'misspelt' (faults) has an unknown hook 'baryon_model'; did you mean "
    "'baryon_models'? choose from: baryon_communicators, baryon_datasets, baryon_evaluators, "
    "baryon_losses, baryon_models",
    "arguing": "plugin 'arguing' (faults) has a wrong hook: ",
    "raising": "hook 'baryon_models' of plugin 'raising' (faults) failed: KeyError: 'two\\nlines'; "
    "it must return a mapping name -> 'module:factory'",
    "listing": "hook 'baryon_models' of plugin 'listing' (faults) returned ['acme_mlp']; it must "
    "return a mapping name -> 'module:factory'",
    "forgetful": "hook 'baryon_models' of plugin 'forgetful' (faults) returned None; it must",
    "dotted": "plugin 'dotted' (faults) gives 'acme.mlp.AcmeMLP' for model 'acme_mlp': a target "
    "is the text 'module:factory'",
    "bare": "plugin 'bare' (faults) offers model 'bare_mlp' but ships no conf/model/bare_mlp.yaml",
    "twin": "plugin name 'twin' is claimed by left 0.1 and right 0.1: uninstall one of them, or "
    "block both with BARYON_DISABLE=twin",
    "west east": "model 'same_mlp' is offered by both plugin ",
    "shadow": "config option model/hep_cnn.yaml is shipped by both plugin ",
    "usurper": "config option train/default.yaml is shipped by both baryon itself and plugin "
    "'usurper' (faults): uninstall one of them, or block it with BARYON_DISABLE=<plugin>",
}

UNBUILDABLE = {
    "drifted": "model 'drifted_mlp' (plugin 'drifted') takes no 'widht'; did you mean 'width'?",
    "mistyped": "model 'mistyped_mlp' (plugin 'mistyped'): width='wide' is of the wrong type: it "
    "must be int",
    "unbuilt": "model 'unbuilt_mlp' of plugin 'unbuilt' failed to import faults_unbuilt.model: "
    "ModuleNotFoundError: No module named 'no_such_library'",
    "garbled": "conf/model/garbled_mlp.yaml",
}


@pytest.mark.parametrize(("plugins", "says"), UNUSABLE.items(), ids=UNUSABLE)
def test_a_plugin_that_cannot_be_used_stops_every_run(error, plugins, says):
    assert says in error(plugins, "train", "--cfg", "job")


@pytest.mark.parametrize(
    ("plugins", "both"),
    [
        ("west east", ("plugin 'west' (left)", "plugin 'east' (right)")),
        ("shadow", ("plugin 'shadow' (faults)", "plugin 'hep' (baryon)")),
    ],
)
def test_a_clash_names_both_plugins(error, plugins, both):
    line = error(plugins, "train")
    assert all(one in line for one in both)


def test_baryon_plugins_shows_who_is_broken_and_who_clashes(baryon, environment, installed):
    blocked = ",".join(ALL - {"broken", "west", "east"})
    changes = {"PYTHONPATH": str(installed), "BARYON_DISABLE": blocked}
    done = baryon("plugins", env=environment | changes)
    rows = {line.split()[1]: line.split()[-2] for line in done.stdout.splitlines() if "0.1" in line}
    assert done.returncode == 1
    assert rows | {"hep": "ok", "broken": "broken", "west": "clash", "east": "clash"} == rows
    assert "error: plugin 'broken' (faults 0.1) failed to import" in done.stdout


def test_help_still_answers_beside_a_broken_plugin(baryon, environment, installed):
    blocked = ",".join(ALL - {"broken"})
    changes = {"PYTHONPATH": str(installed), "BARYON_DISABLE": blocked}
    done = baryon("train", "--help", env=environment | changes)
    assert done.returncode == 0
    assert "hep_cnn" in done.stdout
    assert "error: plugin 'broken'" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("plugin", "says"), UNBUILDABLE.items(), ids=UNBUILDABLE)
def test_a_component_that_cannot_be_built_stops_its_run(error, plugin, says):
    choices = ("dataset=hep_images", "dataset.train=events.h5", f"model={plugin}_mlp")
    assert says in error(plugin, "train", *choices)
