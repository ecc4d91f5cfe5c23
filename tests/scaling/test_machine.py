"""Machines: each figure with its source, and one line for a file that lacks something."""

import json

import pytest
import yaml

from baryon.errors import BaryonError
from baryon.scaling.machine import FIGURES, parse_machine, read_machine
from baryon.scaling.measurement import read_machine_and_network
from baryon.scaling.network import as_plain, read_network
from baryon.scaling.plain_file import read_description, shipped_descriptions

MACHINES = sorted(shipped_descriptions("machine"))


@pytest.fixture
def values():
    return read_description("machine", "h100_ib")[1]


def test_the_machines_of_today_and_of_the_paper_are_shipped():
    assert MACHINES == ["aurora", "cori_knl", "h100_ib", "laptop", "mi300_slingshot"]


@pytest.mark.parametrize("network", ["hep_cnn", "climate_15pf"])
@pytest.mark.parametrize("name", MACHINES)
def test_a_shipped_machine_has_every_figure_with_its_source(name, network):
    machine = read_machine(name, network)
    assert machine.figures.keys() == FIGURES.keys()
    # Each says how sure it is.
    marks = ("reported", "as remembered", "derived", "calibrated", "assumed", "measured", "Baryon")
    assert all(figure.source.startswith(marks) for figure in machine.figures.values())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda v: v["figures"].pop("latency"), "figure 'latency' .* is missing; add it"),
        (lambda v: v["figures"].update(latncy=v["figures"]["latency"]), "did you mean 'latency'"),
        (lambda v: v["figures"]["bandwidth"].update(value=0), "bandwidth=0 must be above 0"),
        (lambda v: v["figures"]["jitter"].update(value=-1), "jitter=-1 must be above 0"),
        (
            lambda v: v["figures"]["speed_spread"].update(value=30),
            "speed_spread=30 must be at most",
        ),
        (lambda v: v["figures"]["efficiency"].update(value=45), "efficiency=45 must be at most 1"),
        (lambda v: v["figures"]["jitter"].update(value="fast"), "no valid 'figures' value and"),
        (lambda v: v["figures"]["jitter"].update(value=float("inf")), "no valid 'figures'"),
        (lambda v: v["figures"]["jitter"].pop("source"), "no valid 'figures'"),
        (lambda v: v.update(collectives="star"), "no valid 'collectives'"),
        (lambda v: v.update(networks={"hep_cnn": 3}), "'networks' must hold figures by network"),
        (lambda v: v.update(measured={"conv1": {"forward": {"x": 1.0}}}), "whole numbers"),
    ],
)
def test_a_machine_that_cannot_be_is_refused_in_one_line(tmp_path, values, change, says):
    change(values)
    with pytest.raises(BaryonError, match=says) as caught:
        parse_machine(tmp_path / "mine.yaml", values, "hep_cnn")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["name: &a x\nother: *a\n", "name: !!python/object/apply:os.system [ls]\n", "- a list\n", ""],
)
def test_a_file_of_others_is_data(tmp_path, text):
    file = tmp_path / "theirs.yaml"
    file.write_text(text)
    with pytest.raises(BaryonError, match="cannot be read"):
        read_machine(str(file), "hep_cnn")


def test_figures_of_one_network_hold_for_it_alone(tmp_path, values):
    values["networks"] = {"hep_cnn": {"efficiency": {"value": 0.1, "source": "assumed"}}}
    assert parse_machine(tmp_path, values, "hep_cnn")["efficiency"] == 0.1
    assert parse_machine(tmp_path, values, "climate_15pf")["efficiency"] == 0.45


def test_a_measurement_of_another_network_is_refused(tmp_path, values):
    file = tmp_path / "here.json"
    file.write_text(json.dumps({**values, "network": as_plain(read_network("hep_cnn"))}))
    assert read_machine_and_network(str(file), None)[1] == read_network("hep_cnn")
    assert read_machine_and_network(str(file), "hep_cnn")[1] == read_network("hep_cnn")
    with pytest.raises(BaryonError, match=r"measured with network 'hep_cnn' \(3 x 224 x 224"):
        read_machine_and_network(str(file), "climate_15pf")


def test_a_machine_needs_a_network(tmp_path, values):
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(BaryonError, match=r"give model=.*climate_15pf, hep_cnn"):
        read_machine_and_network(str(file), None)
