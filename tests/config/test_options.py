"""An option's file as a document: keys, defaults, and the comment that belongs to each."""

import pytest

from baryon.config.option_document import Document


@pytest.fixture
def keys(tmp_path):
    """The keys of a file of this text, with defaults and comments."""

    def read(text: str) -> dict[str, tuple[str, str]]:
        path = tmp_path / "option.yaml"
        path.write_text(text, encoding="utf-8")
        return {key.name: (key.default, key.comment) for key in Document(path).keys}

    return read


@pytest.mark.parametrize("end", ["", "\n"], ids=["no newline", "newline"])
@pytest.mark.parametrize(
    ("tail", "default"),
    [
        ("sizes:  # in pixels\n- 3\n- 5", "- 3 - 5"),
        ("sizes:  # in pixels\n  - 3\n  - 5", "- 3 - 5"),
        ("sizes: [3, 5]  # in pixels", "[3, 5]"),
        ("sizes:  # in pixels", ""),
        ("sizes: |  # in pixels\n  3 5", "| # in pixels 3 5"),
    ],
)
def test_a_file_may_end_in_any_value(keys, tail, default, end):
    assert keys(f"# An option\nname: x  # who\n{tail}{end}") == {
        "name": ("x", "who"),
        "sizes": (default, "in pixels"),
    }


def test_a_list_does_not_take_the_comment_of_the_next_key(keys):
    found = keys(
        "# An option\nsizes:\n  - 3\nwidth: 2  # units\n# of a layer\ndepth:\n- 1\nend: 1\n"
    )
    assert [comment for _, comment in found.values()] == ["", "units", "of a layer", ""]
