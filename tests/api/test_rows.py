"""Rows as notebooks show them."""

from baryon.api.rows import MOST_SHOWN, Rows


def test_columns_are_those_of_all_rows_in_order():
    rows = Rows([{"a": 1}, {"b": 2.0, "a": None}])
    assert rows.columns == ["a", "b"]
    assert list(rows.to_pandas().columns) == ["a", "b"]


def test_texts_are_escaped_and_numbers_short():
    page = Rows([{"<b>": 0.123456, "name": "<script>"}])._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<td>0.1235</td>" in page


def test_long_tables_say_what_is_left_out():
    page = Rows([{"a": number} for number in range(MOST_SHOWN + 5)])._repr_html_()
    assert page.count("<tr>") == MOST_SHOWN + 1
    assert "and 5 more rows" in page
