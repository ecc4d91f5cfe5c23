"""The notebooks are executed from the first cell to the last, as a reader would."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))
pytestmark = pytest.mark.slow


@pytest.fixture
def executed(tmp_path, environment, monkeypatch):
    """Execute a notebook in the test's folder; gives its cells."""

    def run(path: Path):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=280, resources={"metadata": {"path": tmp_path}}).execute()
        return notebook.cells

    return run


def shown(cells, mime: str) -> list[str]:
    """What the cells show in one form."""
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    return ["".join(out["data"][mime]) for out in outputs if mime in out.get("data", {})]


def test_the_physicists(executed):
    cells = executed(next(path for path in NOTEBOOKS if path.stem == "physicist"))
    pages = shown(cells, "text/html")
    assert any("signal efficiency" in page and "data:image/png" in page for page in pages)
    assert any("<progress" in page for page in pages)
    assert len(shown(cells, "image/png")) >= 3
    assert any("'scores" in text for text in shown(cells, "text/plain"))


def test_the_climate_scientists(executed):
    cells = executed(next(path for path in NOTEBOOKS if path.stem == "climate"))
    assert any("average precision" in page for page in shown(cells, "text/html"))
    assert shown(cells, "image/png")
    assert any("boxes.csv" in text for text in shown(cells, "text/plain"))
