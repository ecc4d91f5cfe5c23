"""Real plugins: written here, built and installed by pip into a folder of their own."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Files = Mapping[str, str]
"""Path in the plugin's package -> text; PACKAGE in it stands for the package's name."""

PYPROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{distribution}"
version = "0.1"

[project.entry-points.baryon]
{entry_points}

[tool.setuptools.packages.find]
include = ["{distribution}_*"]

[tool.setuptools.package-data]
"*" = ["**/*.yaml"]
"""


def _write(folder: Path, distribution: str, plugins: Mapping[str, Files]) -> Path:
    packages = {plugin: f"{distribution}_{plugin}" for plugin in plugins}
    for plugin, files in plugins.items():
        for name, text in files.items():
            path = folder / distribution / packages[plugin] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("PACKAGE", packages[plugin]))
    entry_points = "\n".join(f'{plugin} = "{package}"' for plugin, package in packages.items())
    pyproject = PYPROJECT.format(distribution=distribution, entry_points=entry_points)
    (folder / distribution / "pyproject.toml").write_text(pyproject)
    return folder / distribution


@pytest.fixture(scope="session")
def install(tmp_path_factory) -> Callable[[Mapping[str, Mapping[str, Files]]], Path]:
    """Install distributions, each a mapping of plugins to their files; gives the folder."""

    def run(distributions: Mapping[str, Mapping[str, Files]]) -> Path:
        folder = tmp_path_factory.mktemp("source")
        target = tmp_path_factory.mktemp("installed")
        sources = [_write(folder, name, plugins) for name, plugins in distributions.items()]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        options = ["--no-deps", "--no-build-isolation", "--target", str(target)]
        subprocess.run([*pip, *options, *map(str, sources)], check=True)
        return target

    return run
