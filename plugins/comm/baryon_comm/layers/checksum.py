"""A short number that changes when any bit of a model's weights does."""

from __future__ import annotations

import zlib

import torch


def checksum(model: torch.nn.Module) -> int:
    """CRC-32 over all parameters, in their order."""
    total = 0
    for parameter in model.parameters():
        flat = parameter.detach().cpu().flatten().view(torch.uint8)
        total = zlib.crc32(flat.numpy().tobytes(), total)
    return total
