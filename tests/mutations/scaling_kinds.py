"""Files of a machine, of a network and of a measurement, as `baryon scale` reads them."""

import json
from collections.abc import Sequence
from pathlib import Path

from outcomes import Kind

from baryon.scaling.machine import read_machine
from baryon.scaling.measurement import read_machine_and_network
from baryon.scaling.network import read_network
from baryon.scaling.plain_file import read_description, shipped_descriptions
from baryon.scaling.published import compare


def write_descriptions(folder: Path) -> Sequence[Path]:
    """Write a machine with published results, a network, and both as a measurement has them."""
    machine = shipped_descriptions("machine")["cori_knl"].read_text()
    network = shipped_descriptions("network")["hep_cnn"].read_text()
    (folder / "machine.yaml").write_text(machine)
    (folder / "network.yaml").write_text(network)
    _, values = read_description("machine", "h100_ib")
    _, values["network"] = read_description("network", "hep_cnn")
    (folder / "measured.json").write_text(json.dumps(values, indent=1))
    return sorted(folder.iterdir())


def read_descriptions(folder: Path) -> str:
    """Read each file, and predict from it what was published."""
    machine, model = str(folder / "machine.yaml"), str(folder / "network.yaml")
    network = read_network(model)
    points = compare(machine, steps=2)
    whole = read_machine_and_network(str(folder / "measured.json"), None)
    return repr((network, read_machine(machine, network.name), points, whole)).replace(
        str(folder), ""
    )


KINDS = [Kind("machines, networks, measurements", write_descriptions, read_descriptions)]
