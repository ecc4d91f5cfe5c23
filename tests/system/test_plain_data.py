"""Files of others are read as plain data, within limits; else one line says what is wrong."""

import json
import os
import time

import pytest
from omegaconf import OmegaConf

from baryon.errors import BaryonError
from baryon.system.plain_data import (
    LARGEST_LINE,
    fits,
    inside,
    interpolations,
    is_count,
    is_finite,
    is_number,
    is_text,
    mapping_of,
    optional,
    parse_json,
    read_json,
    read_lines,
    read_yaml,
)

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(30))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "an anchor or alias, line 1"),
        ("a: !!python/object/apply:os.system [x]", "the tag tag:yaml.org,2002:python/object/app"),
        ("a: !!str 1", "the tag tag:yaml.org,2002:str"),
        ("a: 1\na: 2", "'a' is given twice, line 2"),
        ("a: " + "[" * 100_000, "nested more than 32 deep"),
        ("a: " + "9" * 30, "an integer too large"),
        ("a: " + "9" * 6000, "a number of 6000 characters"),
        ("a: 1" + ":01" * 100_000, "a number of 300001 characters"),
        ("[1, 2]: 3", "a key that is no text"),
        ("1: 2\nb: 3", "texts and numbers as keys of one mapping"),
        ("", "it is empty"),
        ("# nothing", "it is empty"),
        ("- 1", "it holds no mapping"),
        ("a: [1", "expected ',' or ']'"),
        ("a: \x1b[31m", "special characters are not allowed"),
        ("a: " + "x" * 2**19, "more than 524,288 bytes"),
    ],
)
def test_yaml_beyond_the_limits_is_one_line(tmp_path, text, says):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    begun = time.process_time()
    with pytest.raises(BaryonError) as error:
        read_yaml(path)
    assert says in str(error.value)
    assert str(error.value).startswith(f"{path} cannot be read (")
    assert "\n" not in str(error.value)
    assert time.process_time() - begun < 20  # none of them hangs


def test_yaml_is_read_as_omegaconf_wrote_it(tmp_path):
    values = {
        "rate": 1e-3, "tiny": 1e-300, "inf": float("inf"), "none": None, "flag": True,
        "texts": ["1e-3", "yes", "2026-11-28", "0x10", "null", "<<", "=", ""], "point": 0.5,
        "count": -(2**63), "inner": {"a": [], "b": {}}, "numbers": {1: "a"}, "text": "ä: #\n x",
    }  # fmt: skip
    path = tmp_path / "config.yaml"
    path.write_text(OmegaConf.to_yaml(OmegaConf.create(values)))
    assert read_yaml(path) == values
    path.write_text("a: 1e-3\nb: 1.5e3\nc: 2026-11-28\nd: .5\ne: 12:30\n")
    assert read_yaml(path) == {"a": 1e-3, "b": 1500.0, "c": "2026-11-28", "d": 0.5, "e": 750}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000, "nested more than 32 deep"),
        ('{"a":' * 40 + "1" + "}" * 40, "nested more than 32 deep"),
        ('{"a": ' + "9" * 6000 + "}", "an integer of 6000 digits"),
        ('{"a": ' + "9" * 25 + "}", "an integer of 25 digits"),
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ('{"a": "\\ud800"}', "surrogates not allowed"),
        ("[1]", "it holds no mapping"),
        ("", "Expecting value"),
        ('{"a"', "Expecting ':' delimiter"),
    ],
)
def test_json_beyond_the_limits_is_one_line(tmp_path, text, says):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(BaryonError) as error:
        read_json(path)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_json_keeps_what_baryon_writes(tmp_path):
    values = {"a": [1.5, -1, None, True, "ä\x1b"], "b": {"c": 2**64 - 1}, "pair": "\U0001f600"}
    path = tmp_path / "x.json"
    path.write_text(json.dumps(values))
    assert read_json(path) == values
    assert parse_json("[1e999]") == [float("inf")]


def test_links_pipes_and_folders_are_not_read(tmp_path):
    (tmp_path / "secret").write_text('{"a": 1}')
    (tmp_path / "link").symlink_to("secret")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, says in (
        ("link", "is a link, which is not followed"),
        ("folder", "it is not a regular file"),
        ("pipe", "it is not a regular file"),
        ("gone", "No such file"),
        ("a\0b", "embedded null byte"),
    ):
        with pytest.raises(BaryonError, match=says):
            read_json(tmp_path / name)
    (tmp_path / "latin").write_bytes(b'{"a": "\xe4"}')
    with pytest.raises(BaryonError, match="it is not UTF-8"):
        read_json(tmp_path / "latin")


def test_a_log_is_read_line_by_line_without_its_torn_end(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"a": 1}\n\xff\n{"b": 2}\n{"c"')
    assert list(read_lines(path)) == ['{"a": 1}', "�", '{"b": 2}']
    path.write_bytes(b'{"a": 1}\n' + b"x" * (LARGEST_LINE + 5) + b'\n{"b": 2}\n')
    assert list(read_lines(path)) == ['{"a": 1}', "", '{"b": 2}']


@pytest.mark.parametrize(
    "name", ["../x", "..", ".", "", "a/b", "/etc", "a\0b", "a\nb", 3, None, "x" * 256]
)
def test_a_name_that_leads_out_is_refused(tmp_path, name):
    with pytest.raises(BaryonError):
        inside(tmp_path, name)


def test_an_entry_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(BaryonError, match="is a link"):
        inside(tmp_path, "link")
    assert inside(tmp_path, "0-1234 (a)") == tmp_path / "0-1234 (a)"


def test_shapes():
    shape = {"host": is_text, "threads": is_count, "gpus?": [is_text]}
    assert fits({"host": "a", "threads": 1, "more": []}, shape)
    assert fits({"host": "a", "threads": 1, "gpus": ["x"]}, shape)
    assert not fits({"host": "a", "threads": 1, "gpus": [1]}, shape)
    assert not fits({"host": "a"}, shape)
    assert not fits([], shape)
    assert fits(None, optional(shape))
    assert fits({"a": 1.0}, mapping_of(is_number))
    assert not fits({"a": "1"}, mapping_of(is_number))
    assert not any(map(is_count, (True, -1, 2**53, 1.0, "1", None)))
    assert not any(map(is_finite, (True, float("nan"), float("inf"), 2**60, 10**400, "1")))


def test_interpolations_are_found_wherever_they_stand():
    assert interpolations({"a": {"b": ["x", "${oc.env:TOKEN}"]}, "c": "$"}) == ["a.b.1"]
