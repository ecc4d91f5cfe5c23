"""A checksum of a model's weights, compared between ranks that must hold the same ones."""

from __future__ import annotations

import zlib

import torch


def checksum(model: torch.nn.Module) -> int:
    """Return the CRC-32 over the bytes of all parameters, in their order."""
    crc = 0
    for parameter in model.parameters():
        # Bytes, not numbers: two NaN, or 0 and -0, must not hide a difference.
        flat = parameter.detach().cpu().flatten().view(torch.uint8)
        crc = zlib.crc32(flat.numpy().tobytes(), crc)
    return crc
