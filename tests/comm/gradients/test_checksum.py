"""The checksum of a model's weights."""

import torch

from baryon_comm.gradients.checksum import checksum


def test_a_checksum_sees_the_last_bit(paper):
    before = checksum(paper)
    with torch.no_grad():
        weight = paper[0].weight
        weight[0, 0, 0, 0] = torch.nextafter(weight[0, 0, 0, 0], torch.tensor(9.0))
    assert checksum(paper) != before
