"""The shipped descriptions of networks are those of the components themselves."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from baryon.config.option_values import option_values
from baryon.errors import BaryonError
from baryon.plugins.registry import checked_plugins
from baryon.scaling.count import count_component, count_layers
from baryon.scaling.network import as_plain, parse_network, read_network


@pytest.mark.parametrize("name", ["hep_cnn", "climate_15pf"])
def test_a_shipped_network_is_what_its_component_counts(name):
    network = read_network(name)
    plugins = checked_plugins()
    settings = option_values(name, "model", name, plugins)
    settings.pop("name")
    assert count_component(plugins, name, settings, network.input) == network.layers


class TiedAutoencoder(torch.nn.Module):
    """Decodes with the weights of its encoder, in no layer of its own."""

    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)

    def forward(self, inputs):
        weight = self.encoder.weight
        return torch.nn.functional.conv_transpose2d(self.encoder(inputs), weight, stride=2)


def test_operations_outside_of_any_layer_are_not_lost():
    with torch.device("meta"):
        model, sample = TiedAutoencoder(), torch.empty(1, 3, 16, 16)
    (layer,) = count_layers(model, sample)
    with FlopCounterMode(display=False) as counter:
        model(sample).sum().backward()
    assert layer.forward_flops + layer.backward_flops == counter.get_total_flops()


def test_a_model_without_layers_is_refused():
    with pytest.raises(BaryonError, match="no layer with parameters"):
        count_layers(torch.nn.ReLU(), torch.ones(1, 2))


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
