"""Model `gw_cnn`: convolutions over time, as in the first networks that looked for chirps.

(Of the kind of George and Huerta, arXiv:1701.00008, and Gabbard et al., arXiv:1712.06041; the sizes
are ours.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from baryon.interfaces import Field
from torch import nn

STRIDE = 4
KERNEL = 17


def gw_cnn(
    *, filters: Sequence[int], hidden: int, dropout: float, fields: Mapping[str, Field]
) -> nn.Sequential:
    """Logits (N,) of windows (N, channels, samples): positive where a chirp is likelier."""
    channels, samples = fields["inputs"].shape
    layers: list[nn.Module] = []
    for count in filters:
        layers += [nn.Conv1d(channels, count, KERNEL, STRIDE, KERNEL // 2), nn.ReLU()]
        channels, samples = count, -(-samples // STRIDE)
    head = [nn.Flatten(), nn.Linear(channels * samples, hidden), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, *head, nn.Linear(hidden, 1), nn.Flatten(0))
