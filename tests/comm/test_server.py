"""What a server makes of gradients, without messages."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from baryon.conformance import train
from baryon.training.optimizers import Updates
from baryon_comm.layers.layer import PRESENT, Packet, split_into_layers
from baryon_comm.server.momentum_meter import MomentumMeter
from baryon_comm.server.remedies import Remedy
from baryon_comm.server.shelf import Shelf

PLAIN = Remedy("plain", 0.0, 1)
RATE = 0.1


def make(remedy: Remedy = PLAIN, *, momentum: float = 0.0, less: float = 0.0) -> Shelf:
    """A layer of three weights, all 1."""
    (layer,), _ = split_into_layers(nn.Linear(3, 1, bias=False))
    settings = train(learning_rate=RATE, momentum=momentum)
    shelf = Shelf(layer, Updates(settings, 100, 100), less, remedy)
    shelf.put(torch.ones_like(shelf.values))
    return shelf


def gradient(shelf: Shelf, value: float) -> Packet:
    packet = Packet(shelf.layer)
    packet.parameters[0].fill_(value)
    packet.tail[PRESENT] = 1
    return packet


def weight(shelf: Shelf) -> float:
    return float(shelf.parameters[0].detach()[0, 0])


def test_gradients_are_applied_as_they_come():
    shelf = make()
    assert shelf.apply(gradient(shelf, 1.0), group=0, step=0, seen=0) == 0
    assert shelf.apply(gradient(shelf, 2.0), group=1, step=0, seen=0) == 1
    assert weight(shelf) == pytest.approx(1 - 0.1 - 0.2)
    assert (shelf.version, dict(shelf.staleness)) == (2, {0: 1, 1: 1})


def test_a_step_asked_for_again_is_applied_once():
    shelf = make()
    for _ in range(2):  # the group's root died before the answer came
        shelf.apply(gradient(shelf, 1.0), group=0, step=0, seen=0)
    assert weight(shelf) == pytest.approx(0.9)
    assert shelf.version == 1


def test_a_layer_that_no_backward_reached_stays():
    shelf = make(momentum=0.9)
    shelf.apply(gradient(shelf, 1.0), group=0, step=0, seen=0)
    idle = gradient(shelf, 0.0)
    idle.tail[PRESENT] = 0
    shelf.apply(idle, group=0, step=1, seen=1)
    assert weight(shelf) == pytest.approx(0.9)


def test_momentum_is_corrected_for_the_groups():
    shelf = make(momentum=0.9, less=0.5)
    for step in range(2):
        shelf.apply(gradient(shelf, 1.0), group=0, step=step, seen=step)
    assert weight(shelf) == pytest.approx(1 - 0.1 - 0.1 * 1.4)


def test_ringmaster_drops_what_is_too_late():
    shelf = make(Remedy("ringmaster", 0.0, 2))
    for group in range(3):
        shelf.apply(gradient(shelf, 1.0), group=group, step=0, seen=0)
    assert weight(shelf) == pytest.approx(0.8)
    assert shelf.dropped == 1


def test_delay_compensation_moves_the_gradient_to_where_the_weights_are():
    shelf = make(Remedy("delay_compensation", 0.5, 1))
    for group in range(2):
        shelf.reply_to(group)
    shelf.apply(gradient(shelf, 1.0), group=0, step=0, seen=0)
    shelf.apply(gradient(shelf, 2.0), group=1, step=0, seen=0)
    late = 2.0 + 0.5 * 2.0**2 * (0.9 - 1.0)
    assert weight(shelf) == pytest.approx(0.9 - RATE * late)


def test_dana_sends_weights_where_all_momenta_will_carry_them():
    shelf = make(Remedy("dana", 0.0, 1), momentum=0.5)
    for group in range(2):
        shelf.apply(gradient(shelf, 1.0), group=group, step=0, seen=0)
    assert weight(shelf) == pytest.approx(0.8)
    assert float(shelf.reply_to(0).values[0]) == pytest.approx(0.8 - 2 * RATE * 0.5)
    (state,) = shelf.state().values()
    assert float(state["momentum_buffer"][0, 0]) == pytest.approx(2.0)
    other = make(Remedy("dana", 0.0, 1), momentum=0.5)
    other.load({"weight": state}, groups=2)
    (again,) = other.state().values()
    assert torch.allclose(again["momentum_buffer"], state["momentum_buffer"])


def test_an_heir_loses_no_update_that_any_group_has_seen():
    heir = make()
    size = heir.values.numel()
    heir.adopt(torch.full((size,), 0.9), 5)
    heir.apply(gradient(heir, 1.0), group=0, step=7, seen=5)
    heir.adopt(torch.full((size,), 0.7), 8)  # another group knew three updates more
    assert weight(heir) == pytest.approx(0.9 - 0.1 + (0.7 - 0.9))
    assert heir.version == 9
    heir.adopt(torch.full((size,), 5.0), 6)  # an older one has nothing to add
    assert weight(heir) == pytest.approx(0.6)


@pytest.mark.parametrize("momentum", [0.0, 0.4, 0.9])
def test_the_momentum_of_plain_training_is_measured(momentum):
    torch.manual_seed(1)
    weights = nn.Parameter(torch.randn(64))
    optimizer = torch.optim.SGD([weights], lr=0.05, momentum=momentum)
    meter = MomentumMeter()
    for version in range(20):
        weights.grad = weights.detach() + 0.1
        meter.before(weights.detach(), weights.grad, version)
        optimizer.step()
        update = SimpleNamespace(optimizer=optimizer)
        meter.after(weights.detach(), version, version + 1, update)
    assert meter.mean == pytest.approx(momentum, abs=0.02)


def test_weights_that_are_still_being_sent_stay_as_they_were():
    shelf, over, replies = make(), {0: False, 1: False}, {}
    for group in over:
        shelf.apply(gradient(shelf, 1.0), group, step=0, seen=0)
        replies[group] = shelf.reply_to(group)
        shelf.leaves(replies[group], lambda group=group: over[group])
    assert replies[0].values[0] == pytest.approx(0.9)
    assert replies[1].values[0] == pytest.approx(0.8)
    over |= {0: True, 1: True}
    shelf.apply(gradient(shelf, 1.0), 0, step=1, seen=1)
    assert shelf.reply_to(0) is replies[1]
    assert weight(shelf) == pytest.approx(0.7)
