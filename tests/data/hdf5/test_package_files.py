"""`pkg://` finds the files of a package and runs nothing of it."""

import sys

import pytest

from baryon.data.hdf5.table import find_files
from baryon.data.package_files import package_folder
from baryon.errors import BaryonError


def test_package_folder_does_not_import_package(tmp_path, monkeypatch):
    package = tmp_path / "trapped_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('it ran')\n")
    (package / "a.h5").write_text("x")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_files("dataset.train", "pkg://trapped_package/*.h5") == [package / "a.h5"]
    assert "trapped_package" not in sys.modules


@pytest.mark.parametrize(
    "name", ["nope", "", "trapped.inner", "json.tool", "..", "sys", "3", "__main__"]
)
def test_package_folder_refuses_other_names(name):
    with pytest.raises(BaryonError, match="is in no installed package of that name"):
        package_folder(name)
    with pytest.raises(BaryonError):
        find_files("dataset.train", f"pkg://{name}/x.h5")
