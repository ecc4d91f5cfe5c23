"""The commonest mistakes of a plugin's author are told by their cause, as in docs/plugins.md."""

import subprocess
import sys
from pathlib import Path

import pytest

from baryon.config.compose import Composer
from baryon.errors import BaryonError
from baryon.plugins.registry import discover

PROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "0.1"
dependencies = ["baryon"]

{entry_points}
[tool.setuptools]
packages = ["{package}"]

[tool.setuptools.package-data]
"*" = ["conf/**/*.yaml"]
"""
HOOK = 'def baryon_models():\n    return {{"{package}_net": "{package}.net:net"}}\n'
MARKED = "from baryon import hookimpl\n\n@hookimpl\n" + HOOK
PLUGINS_PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"


def write(folder, name, source, *, entry_point=True):
    package = name.replace("-", "_")
    text = f'[project.entry-points.baryon]\n{package} = "{package}"\n' if entry_point else ""
    conf = folder / name / package / "conf" / "model"
    conf.mkdir(parents=True)
    (conf / f"{package}_net.yaml").write_text("# A net\nwidth: 3\n")
    (conf.parents[1] / "__init__.py").write_text(source.format(package=package))
    project = PROJECT.format(name=name, package=package, entry_points=text)
    (folder / name / "pyproject.toml").write_text(project)
    return folder / name


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Two packages that pip has installed: one without its entry point, one without its mark."""
    folder = tmp_path_factory.mktemp("projects")
    projects = [
        write(folder, "lost-field", MARKED, entry_point=False),
        write(folder, "unmarked-field", HOOK),
    ]
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--target", target]
    subprocess.run([*pip, *options, *projects], check=True)
    return target


def message(*overrides, user_folder=None):
    with pytest.raises(BaryonError) as error:
        Composer(discover(), user_folder).compose("config", list(overrides))
    assert "\n" not in str(error.value)
    return str(error.value)


def on_the_page(text):
    """Whether the docs show this message, but for names and paths."""
    return text in " ".join(PLUGINS_PAGE.read_text().split())


def test_a_package_without_its_entry_point_is_named(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    said = message("dataset=hep_images", "model=lost_field_net")
    expected = (
        "lost-field is installed and has it, but has no entry point of the group 'baryon': add "
        '[project.entry-points.baryon] with <plugin> = "<package>" to its pyproject.toml, and '
        "install it again"
    )
    assert said.startswith("no option model=lost_field_net; choose from: ")
    assert said.endswith(f"; {expected}")
    assert on_the_page(expected.partition(" and has")[2].removeprefix(" and has"))


def test_a_project_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "my-field", MARKED)
    said = message("dataset=hep_images", "model=my_field_net")
    expected = f"my-field has it, but is not installed for {sys.executable}: pip install --editable"
    assert said.endswith(f"; {expected} my-field")
    assert on_the_page("has it, but is not installed for")
    (tmp_path / "my-field" / "pyproject.toml").write_text("[[[")
    assert "but no entry point of the group" in message("dataset=hep_images", "model=my_field_net")
    assert "my-field" not in message("dataset=hep_images", "model=my_fiel_net")


def test_a_plugin_that_is_blocked_is_named(monkeypatch):
    monkeypatch.setenv("BARYON_DISABLE", "hep")
    said = message("dataset=climate_netcdf", "model=hep_cnn")
    assert said.endswith("; plugin 'hep' has it, and is blocked by BARYON_DISABLE")


def problem(plugin):
    (found,) = [each.error for each in discover().all if each.name == plugin]
    return found


def test_a_hook_without_its_mark_is_named(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    expected = (
        "has a function 'baryon_models' that is no hook, for it lacks its mark: write @hookimpl "
        "above it, with `from baryon import hookimpl`"
    )
    assert problem("unmarked_field") == f"plugin 'unmarked_field' (unmarked-field) {expected}"
    assert on_the_page(expected)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            "def baryon_model():\n    return {{}}",
            "lacks its mark: write @hookimpl above it (and is",
        ),
        ("", "offers nothing: its hooks must stand in "),
    ],
)
def test_hooks_that_are_not_found_are_told(tmp_path, monkeypatch, source, says):
    name = f"odd{len(source)}"
    write(tmp_path, name, source)
    (tmp_path / name / name / "conf" / "model" / f"{name}_net.yaml").unlink()
    record = tmp_path / name / f"{name}-0.1.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    (record / "entry_points.txt").write_text(f"[baryon]\n{name} = {name}\n")
    monkeypatch.syspath_prepend(str(tmp_path / name))
    assert says in problem(name)


def option(folder, group, name, text):
    path = folder / group / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


RUN = ("model=hep_cnn", "dataset.train=x.h5")


@pytest.mark.parametrize(
    ("body", "others"),
    [
        ("defaults:\n  - override /dataset: hep_images\n  - override /model: hep_cnn\n", ()),
        ("train:\n  epochs: 2\n", ("dataset=hep_images", *RUN)),
    ],
)
def test_an_experiment_without_its_package_is_named(tmp_path, body, others):
    path = option(tmp_path, "experiment", "mine", f"# My study\n{body}")
    said = message("experiment=mine", *others, user_folder=str(tmp_path))
    expected = (
        "its first line must be `# @package _global_`, for an experiment's keys are those of the "
        "whole config"
    )
    assert said.startswith(f"{path}: {expected}")
    assert on_the_page(expected)
    path.write_text(f"# @package _global_\n# My study\n{body}")
    Composer(discover(), str(tmp_path)).compose("config", ["experiment=mine", *others])


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("override /loss@_global_.loss: hep_cross_entrop",
         "no option loss=hep_cross_entrop; did you mean 'hep_cross_entropy'? choose from: "
         "climate_semi_supervised, hep_cross_entropy ({path}, line 3: `{entry}`)"),
        ("override /los@_global_.loss: hep_cross_entropy",
         "{path}, line 3: `{entry}` names no group of a run: did you mean 'loss'? choose from: "),
        ("override /loss@_global_.los: hep_cross_entropy",
         "{path}, line 3: `{entry}` must be `override /loss@_global_.loss: hep_cross_entropy`"),
        ("override /loss: hep_cross_entropy",
         "{path}, line 3: `{entry}` must be `override /loss@_global_.loss: hep_cross_entropy`"),
        ("/loss@_global_.loss: hep_cross_entropy",
         "{path}, line 3: `{entry}` chooses a loss beside the one that a run has already: write "
         "`override /loss@_global_.loss: hep_cross_entropy`"),
    ],
    ids=["name", "group", "package", "no-package", "no-override"],
)  # fmt: skip
def test_a_wrong_override_in_a_dataset_is_named_with_its_line(tmp_path, entry, says):
    text = f"defaults:\n  - hep_images\n  - {entry}\n  - _self_\nname: hep_images\n"
    path = option(tmp_path, "dataset", "mine", text)
    said = message("dataset=mine", *RUN, user_folder=str(tmp_path))
    assert said.startswith(says.format(path=path, entry=entry))


def test_the_page_shows_what_a_wrong_override_says():
    assert on_the_page("names no group of a run: did you mean 'loss'?")
    assert on_the_page("must be `override /loss@_global_.loss: acme_focal`")


def test_an_override_in_an_experiment_is_shown_as_it_is_written_there(tmp_path):
    text = "# @package _global_\ndefaults:\n  - override /modl: hep_cnn\n"
    path = option(tmp_path, "experiment", "mine", text)
    said = message("experiment=mine", "dataset=hep_images", *RUN, user_folder=str(tmp_path))
    assert said.startswith(f"{path}, line 3: `override /modl: hep_cnn` names no group of a run: ")


def test_a_mistake_on_the_command_line_is_not_looked_for_in_files():
    assert message("dataset=hep_images", "model=hep_cnm").endswith("climate_racah_3d, hep_cnn")
