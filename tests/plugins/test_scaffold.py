"""`baryon plugins new`: what it writes is a plugin that works, and it writes over nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from baryon.cli import main

RUFF = [Path(sys.executable).parent / "ruff"]
STYLE = ["--no-cache", "--isolated", "--line-length", "100"]


@pytest.fixture(scope="module")
def written(clean_place, tmp_path_factory) -> Path:
    """The folder where a stranger called it."""
    folder = tmp_path_factory.mktemp("stranger")
    done = clean_place.run("baryon", "plugins", "new", "my_field", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "baryon train experiment=my_field_demo" in done.stdout
    return folder


@pytest.fixture(scope="module")
def installed(written, clean_place) -> Path:
    clean_place.install(written / "baryon-my-field")
    return written


@pytest.mark.slow
def test_it_passes_its_own_tests_where_only_wheels_are(installed, clean_place):
    done = clean_place.run("python", "-m", "pytest", "-q", "baryon-my-field", folder=installed)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


@pytest.mark.slow
def test_it_trains_as_it_is(installed, clean_place):
    done = clean_place.run(
        "baryon", "train", "experiment=my_field_demo", "train.epochs=3", folder=installed
    )
    assert (done.returncode, done.stderr) == (0, "")
    (answer,) = (line for line in done.stdout.splitlines() if line.startswith("amplitude known"))
    network, mean = (float(word) for word in answer.replace(")", "").split() if "0." in word)
    assert network < mean / 2


@pytest.mark.slow
def test_it_is_healthy_and_its_libraries_are_those_of_the_wheel(installed, clean_place):
    listed = clean_place.run("baryon", "plugins", folder=installed).stdout
    assert any("my_field " in line and " ok " in line for line in listed.splitlines())
    code = "import baryon, baryon_my_field; print(baryon.__file__, baryon_my_field.__file__)"
    places = clean_place.run("python", "-c", code, folder=installed).stdout.split()
    assert all(place.startswith(str(clean_place.bin.parent)) for place in places)


@pytest.mark.slow
def test_a_wheel_without_its_yaml_is_one_line_that_tells_the_remedy(
    written, clean_place, build_wheel, tmp_path
):
    project = tmp_path / "project"
    made = clean_place.run(
        "baryon", "plugins", "new", "bare_field", f"out={project}", folder=tmp_path
    )
    assert made.returncode == 0
    pyproject = project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().partition("# Without these lines")[0])
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--target", target, build_wheel(project)], check=True)
    code = f"import sys; sys.path.insert(0, {str(target)!r}); from baryon.cli import main; "
    run = "sys.exit(main(['train', '--cfg', 'job']))"
    done = clean_place.run("python", "-c", code + run, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "baryon: error: plugin 'bare_field' (baryon-bare-field) offers dataset 'bare_field_waves' "
        "but ships no conf/dataset/bare_field_waves.yaml; it ships no YAML file at all: put them "
        "into its wheel with [tool.setuptools.package-data] baryon_bare_field = "
        "['conf/**/*.yaml'] in its pyproject.toml\n"
    )


def test_what_it_writes_is_in_good_style(baryon, tmp_path):
    assert baryon("plugins", "new", "acme").returncode == 0
    for command in (["check", "--select", "B,E,F,I,RUF,UP"], ["format", "--check"]):
        done = subprocess.run(
            [*RUFF, *command, *STYLE, "."],
            cwd=tmp_path / "baryon-acme",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
    texts = [p.read_text() for p in (tmp_path / "baryon-acme").rglob("*") if p.is_file()]
    assert not [text for text in texts if "{{" in text or "PACKAGE" in text or "NAME" in text]


def test_a_name_whose_options_another_plugin_has(baryon, environment, install, tmp_path):
    hooks = """
from baryon import hookimpl

@hookimpl
def baryon_models():
    return {"mine_mlp": "PACKAGE.net:net"}
"""
    files = {"__init__.py": hooks, "conf/model/mine_mlp.yaml": "# A net\n"}
    path = {"PYTHONPATH": str(install({"others": {"theirs": files}}))}
    done = baryon("plugins", "new", "mine", env=environment | path)
    assert done.stderr == (
        "baryon: error: plugin 'theirs' has an option model/mine_mlp already, as 'mine' would: "
        "choose another name\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["hep"], "a plugin 'hep' is installed already (baryon "),
        (["conf"], "a package 'baryon_conf' can be imported already: choose another name"),
        (["1st"], "'1st' cannot be the name of a plugin: use lower-case letters, digits and _"),
        (["class"], "'class' cannot be the name of a plugin"),
        (["My"], "'My' cannot be the name of a plugin"),
        (["../x"], "'../x' cannot be the name of a plugin"),
        (["out=x"], "give <name>: the plugin's name, as in my_field"),
        (["mine", "two"], "plugins new takes one <name>, not 'two' as well"),
        (["mine", "in=x"], "plugins new takes no 'in='; choose from: out="),
        (["mine", "out=full"], "full is there already: give another folder with out=<folder>"),
        (["mine", "out=full/file"], "full/file is there already: give another folder"),
        (["mine", "out=full/file/x"], "cannot write full/file/x: "),
    ],
    ids=str,
)
def test_a_name_or_folder_that_cannot_be(capsys, monkeypatch, tmp_path, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    assert main(["plugins", "new", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert [p.name for p in tmp_path.rglob("*")] == ["full", "file"]
    assert (tmp_path / "full" / "file").read_text() == "mine"
