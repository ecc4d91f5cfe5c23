"""The reference has every public type, option and command, as the code has them."""

import inspect
import re
import runpy
from pathlib import Path

import pytest

from baryon import interfaces

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


def test_every_type_of_the_contract_is_on_one_page():
    lists = [
        members
        for page in ("contract.md", "types.md")
        for block in (REFERENCE / page).read_text().split(":::")
        if block.strip().startswith("baryon.interfaces")
        for members in re.findall(r"members: \[(.*?)\]", block)
    ]
    named = sorted(name.strip() for members in lists for name in members.split(","))
    classes = [
        name
        for name, value in vars(interfaces).items()
        if inspect.isclass(value) and value.__module__ == interfaces.__name__
    ]
    assert named == sorted([*classes, "Arrays", "Batch", "Model", "RUNTIME_ARGUMENTS"])


GENERATOR = runpy.run_path(str(REFERENCE / "generate.py"))


@pytest.mark.parametrize("name", GENERATOR["PAGES"])
def test_options_and_commands_are_listed_as_the_code_has_them(name):
    """If not: `python docs/reference/generate.py`."""
    assert (REFERENCE / name).read_text() == GENERATOR["PAGES"][name]()


def test_keys_and_actions_are_in_the_reference():
    configuration, commands = ((REFERENCE / name).read_text() for name in GENERATOR["PAGES"])
    assert "### model=hep_cnn" in configuration
    assert "| `model.dropout` | `0.0` |" in configuration
    assert "### baryon data check\n" in commands
    assert "completion words" not in commands  # only the shell's script calls it


def comparison(page: Path) -> str:
    table = re.search(r"^\| \| Baryon \|.*?\n(?=\n|\Z)", page.read_text(), re.DOTALL | re.MULTILINE)
    assert table, page
    return table[0].replace("](docs/", "](").strip()


def test_the_home_page_compares_as_the_readme_does():
    docs = REFERENCE.parent
    assert comparison(docs / "index.md") == comparison(docs.parent / "README.md")
