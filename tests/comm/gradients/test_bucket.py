"""Buckets: memory formats, and values on a device."""

import numpy as np
import torch
from torch import nn

from baryon_comm.gradients.bucket import HEADER_BYTES, Bucket
from baryon_comm.gradients.layer import split_into_layers


def test_bucket_keeps_the_memory_format():
    model = nn.Conv2d(4, 6, 3).to(memory_format=torch.channels_last)
    (layer,), ((weight, bias),) = split_into_layers(model)
    bucket = Bucket(layer)
    for place, parameter in zip(bucket.parameters, (weight, bias), strict=True):
        assert place.stride() == parameter.stride()
        place.copy_(parameter.detach())
    assert torch.equal(bucket.parameters[0], weight)
    assert bucket.empty_like().parameters[0].stride() == weight.stride()


def test_bucket_copies_values_on_a_device_to_the_host():
    (layer,), _ = split_into_layers(nn.Linear(3, 1, bias=False))
    bucket = Bucket(layer, torch.device("cpu"))
    bucket.values.fill_(2.0)
    sent = bucket.raw[HEADER_BYTES:].view(np.float32)
    assert not sent.any()
    assert list(bucket.copy_to_host()) == []
    assert sent[: layer.size].tolist() == bucket.values.tolist()
