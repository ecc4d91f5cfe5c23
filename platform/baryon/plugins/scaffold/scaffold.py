"""Write a new plugin's package from `template/`, whole or not at all.

The templates are the files that are written, with the name left open and nothing else. They bring a
toy of each kind, for a skeleton that does not run teaches nothing; its tests are the contract's.
"""

from __future__ import annotations

import keyword
import re
import shutil
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from baryon.errors import BaryonError, cannot_write
from baryon.plugins.registry import Plugins

TEMPLATE = Path(__file__).parent / "template"


def check_name(name: str, plugins: Plugins) -> None:
    """Raise `BaryonError` unless a plugin and its package can be called so."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise BaryonError(
            f"{name!r} cannot be the name of a plugin: use lower-case letters, digits and _, as "
            "my_field"
        )
    for plugin in plugins.all:
        if plugin.name == name:
            raise BaryonError(
                f"a plugin {name!r} is installed already ({plugin.distribution} {plugin.version}): "
                "choose another name"
            )
        clash = sorted(set(_options(name)) & set(plugin.options))
        if clash:
            raise BaryonError(
                f"plugin {plugin.name!r} has an option {clash[0]} already, as {name!r} would: "
                "choose another name"
            )
    # Python would go on importing the one that is there, whatever is written now.
    if find_spec(package_of(name)) is not None:
        raise BaryonError(
            f"a package {package_of(name)!r} can be imported already: choose another name"
        )


def package_of(name: str) -> str:
    """Return the package's name, as it is imported."""
    return f"baryon_{name}"


def distribution_of(name: str) -> str:
    """Return the distribution's name, as pip knows it."""
    return package_of(name).replace("_", "-")


def write_plugin(name: str, folder: Path) -> list[Path]:
    """Write the package of plugin `name` as `folder`; return its files, relative to it.

    Raises `BaryonError` if there is something at `folder`, or it cannot be written.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise BaryonError(f"{folder} is there already: give another folder with out=<folder>")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Under another name until it is whole: what fails leaves nothing.
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            files = list(_write(name, temporary))
            temporary.chmod(0o755)  # mkdtemp makes it private
            temporary.replace(folder)
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as error:
        raise BaryonError(cannot_write(folder, error, "out")) from error
    return files


def _options(name: str) -> Iterator[str]:
    """Return the options of the new package, as `group/name`."""
    for source in TEMPLATE.glob("PACKAGE/conf/*/*.yaml.j2"):
        yield f"{source.parent.name}/{source.name.removesuffix('.yaml.j2')}".replace("NAME", name)


def _write(name: str, folder: Path) -> Iterator[Path]:
    """Write each file of the template with the names filled in, and generate its path."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(  # noqa: S701  it makes Python and YAML, no HTML
        loader=FileSystemLoader(TEMPLATE), undefined=StrictUndefined, keep_trailing_newline=True
    )
    names = {"name": name, "package": package_of(name), "distribution": distribution_of(name)}
    for source in sorted(TEMPLATE.rglob("*.j2")):
        template = source.relative_to(TEMPLATE).as_posix()
        file = template.removesuffix(".j2")
        path = Path(file.replace("PACKAGE", names["package"]).replace("NAME", name))
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        text = templates.get_template(template).render(names)
        (folder / path).write_text(text, encoding="utf-8")
        yield path
