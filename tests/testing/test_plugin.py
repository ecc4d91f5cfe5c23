"""Every installed plugin keeps the contract, the kit finds those that do not, the page tells it."""

import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from baryon.plugins import hookspecs
from baryon.plugins.registry import KINDS, discover
from baryon.testing import check_plugin

PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"
HOOKS = [name for name in vars(hookspecs) if name.startswith("baryon_")]

HOOK = """
from baryon import hookimpl

@hookimpl
def baryon_models():
    return {"NAME_mlp": "faults_NAME.mlp:mlp"}
"""
HEALTHY = 'def mlp(*, width: int, fields):\n    """An MLP."""\n'
YAML = "# An MLP\nwidth: 3\n"


def _faulty(name: str, *, hook: str = HOOK, mlp: str = HEALTHY, yaml: str = YAML) -> dict[str, str]:
    return {
        f"faults_{name}/__init__.py": hook.replace("NAME", name),
        f"faults_{name}/mlp.py": mlp,
        f"faults_{name}/conf/model/{name}_mlp.yaml": yaml,
    }


EVALUATOR_HOOK = HOOK.replace("baryon_models", "baryon_evaluators").replace("NAME_mlp", "NAME")
EVALUATOR = """
class Evaluator:
    'It says nothing.'
    predictor = "faults_NAME.mlp:Predictor"
    def __init__(self): ...

class Predictor:
    'It predicts nothing.'
    def __init__(self, *, width: int, split): ...

mlp = Evaluator
"""


def _predicting(name: str, *, code: str = EVALUATOR, yaml: str | None = YAML) -> dict[str, str]:
    """A plugin whose evaluator names a predictor."""
    files = {
        f"faults_{name}/__init__.py": EVALUATOR_HOOK.replace("NAME", name),
        f"faults_{name}/mlp.py": code.replace("NAME", name),
        f"faults_{name}/conf/evaluator/{name}.yaml": f"# It says nothing\nname: {name}\n",
    }
    return files if yaml is None else {**files, f"faults_{name}/conf/predict/{name}.yaml": yaml}


FAULTS = {
    "foretold": (_predicting("foretold"), "nothing is wrong"),
    "unforetold": (
        _predicting("unforetold", yaml=None),
        "predictor of evaluator 'unforetold' of plugin 'unforetold': there is no "
        "conf/predict/unforetold.yaml",
    ),
    "misforetold": (
        _predicting("misforetold", yaml="# It predicts nothing\nwidht: 3\n"),
        "option predict/misforetold of plugin 'misforetold' takes no 'widht'; did you mean 'width'",
    ),
    "mute": (
        _predicting("mute", code=EVALUATOR.replace("'It predicts nothing.'", "")),
        "predictor of evaluator 'mute' of plugin 'mute': faults_mute.mlp:Predictor has no docstr",
    ),
    "unasked": (
        _predicting("unasked", code=EVALUATOR.replace("predictor =", "oracle =")),
        "option predict/unasked of plugin 'unasked': evaluator 'unasked' names no predictor",
    ),
    "drifted": (
        _faulty("drifted", yaml="# An MLP\nwidht: 3\n"),
        "option model/drifted_mlp of plugin 'drifted' takes no 'widht'; did you mean 'width'? ",
    ),
    "lacking": (
        _faulty("lacking", yaml="# An MLP\nname: lacking_mlp\n"),
        "option model/lacking_mlp of plugin 'lacking' needs 'width': ",
    ),
    "mistyped": (
        _faulty("mistyped", yaml="# An MLP\nwidth: wide\n"),
        "option model/mistyped_mlp of plugin 'mistyped': width='wide' is of the wrong type: ",
    ),
    "uncomposed": (
        _faulty("uncomposed", yaml="# An MLP\ndefaults: [no_such_mlp, _self_]\nwidth: 3\n"),
        "option model/uncomposed_mlp of plugin 'uncomposed': no option model=no_such_mlp; ",
    ),
    "heavy": (
        _faulty("heavy", hook="import matplotlib, torch\n" + HOOK),
        "plugin 'heavy' imports matplotlib, torch with its hooks, ",
    ),
    "silent": (
        _faulty("silent", mlp="def mlp(*, width: int): ..."),
        "model 'silent_mlp' of plugin 'silent': faults_silent.mlp:mlp has no docstring",
    ),
    "positional": (
        _faulty("positional", mlp=HEALTHY.replace("*, ", "")),
        "model 'positional_mlp' of plugin 'positional': argument 'width' of "
        "faults_positional.mlp:mlp must be keyword-only: ",
    ),
    "unannotated": (
        _faulty("unannotated", mlp=HEALTHY.replace("width: int", "width")),
        "option model/unannotated_mlp of plugin 'unannotated': width cannot be checked: argument ",
    ),
    "defaulted": (
        _faulty("defaulted", mlp=HEALTHY.replace("width: int", "width: int = 3")),
        "model 'defaulted_mlp' of plugin 'defaulted': argument 'width' of "
        "faults_defaulted.mlp:mlp has a default: ",
    ),
    "uncommented": (
        _faulty("uncommented", yaml="width: 3\n"),
        "option model/uncommented_mlp of plugin 'uncommented': the first line of ",
    ),
    "local": (
        _faulty("local") | {"faults_local/conf/experiment/local.yaml": "# A study\nseed: 3\n"},
        "option experiment/local of plugin 'local': ",
    ),
    "hollow": (
        _faulty("hollow", mlp=""),
        "model 'hollow_mlp' of plugin 'hollow' points to 'faults_hollow.mlp:mlp', but ",
    ),
    "unread": (
        _faulty("unread", hook="import no_such_library"),
        "plugin 'unread' (faults 0.1) failed to import faults_unread: ModuleNotFoundError: ",
    ),
    "hidden": (
        _faulty("hidden", mlp="def mlp(*, width: 'Never'):\n    '''An MLP.'''"),
        "option model/hidden_mlp of plugin 'hidden': width: the annotation 'Never' cannot be read",
    ),
    "absent": ({}, "no plugin 'absent' is installed: "),
    "healthy": (_faulty("healthy"), "nothing is wrong"),
    "open": (_faulty("open", yaml="# An MLP\nwidth: ???\n"), "nothing is wrong"),
}

CHECK_ALL = """
import json, sys
from baryon.errors import BaryonError
from baryon.testing import check_plugin

def finding(name):
    try:
        check_plugin(name)
    except (AssertionError, BaryonError) as error:
        return str(error)
    return "nothing is wrong"

print(json.dumps({name: finding(name) for name in sys.argv[1:]}))
"""


def _pyproject() -> str:
    names = [name for name, (files, _) in FAULTS.items() if files]
    return "\n".join(
        [
            '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"',
            '[project]\nname = "faults"\nversion = "0.1"',
            "[project.entry-points.baryon]",
            *(f'{name} = "faults_{name}"' for name in names),
            '[tool.setuptools.package-data]\n"*" = ["**/*.yaml"]',
            '[tool.setuptools.packages.find]\ninclude = ["faults_*"]',
        ]
    )


@pytest.fixture(scope="module")
def findings(tmp_path_factory) -> dict[str, str]:
    """What the kit says of each faulty plugin, all installed by pip as one distribution."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    (source / "pyproject.toml").write_text(_pyproject())
    for files, _ in FAULTS.values():
        for name, text in files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_text(text)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--target", target]
    subprocess.run([*pip, *options, source], check=True)
    done = subprocess.run(
        [sys.executable, "-c", CHECK_ALL, *FAULTS],
        env=os.environ | {"PYTHONPATH": str(target)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", [plugin.name for plugin in discover().all])
def test_every_installed_plugin_keeps_the_contract(name):
    check_plugin(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_the_kit_finds_what_is_wrong(findings, name):
    _, says = FAULTS[name]
    assert findings[name].startswith(says)
    assert "\n" not in findings[name]


def test_every_kind_has_its_hook():
    assert sorted(KINDS.values()) == sorted(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_page_tells_every_hook_by_its_name(hook):
    assert re.search(rf"`{hook}\b", PAGE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_an_implementation(hook):
    kind = next(kind for kind, name in KINDS.items() if name == hook)
    offered = discover().components(kind)
    assert offered or f"def {hook}(" in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_takes_no_arguments_and_says_what_it_is(hook):
    specification = getattr(hookspecs, hook)
    assert not inspect.signature(specification).parameters
    assert specification.__doc__
