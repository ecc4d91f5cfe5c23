"""Read a machine together with the network that it was measured with, or that is asked for."""

from __future__ import annotations

from baryon.errors import BaryonError, did_you_mean
from baryon.scaling.machine import Machine, parse_machine
from baryon.scaling.network import Network, parse_network, read_network
from baryon.scaling.plain_file import read_description, shipped_descriptions


def read_machine_and_network(machine: str, model: str | None) -> tuple[Machine, Network]:
    """Return a machine and a network by the names or files that the user gives.

    Parameters
    ----------
    machine
        A shipped machine, or the file of one; what `baryon scale measure` wrote holds the network
        as well.
    model
        A shipped network, or the file of one; None for the measured network.

    Raises
    ------
    BaryonError
        If there is none, or if the machine was measured with another network.

    """
    path, values = read_description("machine", machine)
    if "network" in values:
        network = parse_network(path, values["network"])
        if model is not None and (wanted := read_network(model)) != network:
            raise BaryonError(
                f"{path} was measured with {_title(network)}, not with {_title(wanted)}: leave out "
                "model=, or measure that network there"
            )
    elif model is None:
        known = shipped_descriptions("network")
        raise BaryonError(f"give model=<name or file> of a network; {did_you_mean(known)}")
    else:
        network = read_network(model)
    return parse_machine(path, values, network.name), network


def _title(network: Network) -> str:
    shape = " x ".join(map(str, network.input))
    return f"network {network.name!r} ({shape}, {len(network.layers)} layers)"
