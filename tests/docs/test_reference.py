"""Every public type of the contract stands in the reference, each on one page."""

import inspect
import re
from pathlib import Path

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
