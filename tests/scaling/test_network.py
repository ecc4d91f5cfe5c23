"""The shipped descriptions of networks are those of the components themselves."""

import pytest

from baryon.config.option_values import option_values
from baryon.errors import BaryonError
from baryon.plugins.registry import checked_plugins
from baryon.scaling.count import count_component
from baryon.scaling.network import as_plain, parse_network, read_network


@pytest.mark.parametrize("name", ["hep_cnn", "climate_15pf"])
def test_a_shipped_network_is_what_its_component_counts(name):
    network = read_network(name)
    plugins = checked_plugins()
    settings = option_values(name, "model", name, plugins)
    settings.pop("name")
    assert count_component(plugins, name, settings, network.input) == network.layers


def test_the_networks_of_the_paper_have_its_sizes():
    hep, climate = read_network("hep_cnn"), read_network("climate_15pf")
    assert sum(layer.parameters for layer in hep.layers) == 594_178
    assert hep.flops == pytest.approx(15.43e9, rel=1e-3)
    assert climate.nbytes / 2**20 == pytest.approx(302.1, abs=0.1)
    assert climate.flops == pytest.approx(2.10e12, rel=2e-3)


def test_a_written_network_is_read_as_it_was(tmp_path):
    network = read_network("hep_cnn")
    assert parse_network(tmp_path, as_plain(network)) == network


@pytest.mark.parametrize("key", ["name", "input", "layers", "sample_bytes", "in_memory"])
def test_a_network_that_lacks_something_is_refused(tmp_path, key):
    values = as_plain(read_network("hep_cnn"))
    del values[key]
    with pytest.raises(BaryonError, match=f"network has no valid '{key}'"):
        parse_network(tmp_path / "mine.yaml", values)


def test_an_unknown_network_names_those_that_there_are():
    with pytest.raises(BaryonError, match="did you mean 'hep_cnn'"):
        read_network("hep_cn")
