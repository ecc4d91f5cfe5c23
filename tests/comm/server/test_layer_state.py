"""A layer's state on its server: gradients of groups applied, without messages."""

import pytest
import torch
from torch import nn

from baryon.testing.toy_training import train
from baryon.training.optimizers import ScheduledOptimizerFactory
from baryon_comm.gradients.bucket import PRESENT, Bucket
from baryon_comm.gradients.layer import split_into_layers
from baryon_comm.server.layer_state import LayerState
from baryon_comm.server.staleness import StalenessPolicy

PLAIN = StalenessPolicy("plain", 0.0, 1)
RATE = 0.1


def make(
    staleness_policy: StalenessPolicy = PLAIN, *, momentum: float = 0.0, less: float = 0.0
) -> LayerState:
    """A layer of three weights, all 1."""
    (layer,), _ = split_into_layers(nn.Linear(3, 1, bias=False))
    settings = train(learning_rate=RATE, momentum=momentum)
    layer_state = LayerState(
        layer, ScheduledOptimizerFactory(settings, 100, 100), less, staleness_policy
    )
    layer_state.put(torch.ones_like(layer_state.values))
    return layer_state


def gradient(layer_state: LayerState, value: float) -> Bucket:
    bucket = Bucket(layer_state.layer)
    bucket.parameters[0].fill_(value)
    bucket.tail[PRESENT] = 1
    return bucket


def weight(layer_state: LayerState) -> float:
    return float(layer_state.parameters[0].detach()[0, 0])


def test_gradients_are_applied_as_they_come():
    layer_state = make()
    assert layer_state.apply_gradient(gradient(layer_state, 1.0), group=0, step=0, seen=0) == 0
    assert layer_state.apply_gradient(gradient(layer_state, 2.0), group=1, step=0, seen=0) == 1
    assert weight(layer_state) == pytest.approx(1 - 0.1 - 0.2)
    assert (layer_state.version, dict(layer_state.staleness)) == (2, {0: 1, 1: 1})


def test_a_step_asked_for_again_is_applied_once():
    layer_state = make()
    for _ in range(2):  # the group's root died before the answer came
        layer_state.apply_gradient(gradient(layer_state, 1.0), group=0, step=0, seen=0)
    assert weight(layer_state) == pytest.approx(0.9)
    assert layer_state.version == 1


def test_a_layer_that_no_backward_reached_stays():
    layer_state = make(momentum=0.9)
    layer_state.apply_gradient(gradient(layer_state, 1.0), group=0, step=0, seen=0)
    idle = gradient(layer_state, 0.0)
    idle.tail[PRESENT] = 0
    layer_state.apply_gradient(idle, group=0, step=1, seen=1)
    assert weight(layer_state) == pytest.approx(0.9)


def test_momentum_is_corrected_for_the_groups():
    layer_state = make(momentum=0.9, less=0.5)
    for step in range(2):
        layer_state.apply_gradient(gradient(layer_state, 1.0), group=0, step=step, seen=step)
    assert weight(layer_state) == pytest.approx(1 - 0.1 - 0.1 * 1.4)


def test_ringmaster_drops_what_is_too_late():
    layer_state = make(StalenessPolicy("ringmaster", 0.0, 2))
    for group in range(3):
        layer_state.apply_gradient(gradient(layer_state, 1.0), group=group, step=0, seen=0)
    assert weight(layer_state) == pytest.approx(0.8)
    assert layer_state.dropped == 1


def test_delay_compensation_moves_the_gradient_to_where_the_weights_are():
    layer_state = make(StalenessPolicy("delay_compensation", 0.5, 1))
    for group in range(2):
        layer_state.reply_to(group)
    layer_state.apply_gradient(gradient(layer_state, 1.0), group=0, step=0, seen=0)
    layer_state.apply_gradient(gradient(layer_state, 2.0), group=1, step=0, seen=0)
    late = 2.0 + 0.5 * 2.0**2 * (0.9 - 1.0)
    assert weight(layer_state) == pytest.approx(0.9 - RATE * late)


def test_dana_sends_weights_where_all_momenta_will_carry_them():
    layer_state = make(StalenessPolicy("dana", 0.0, 1), momentum=0.5)
    for group in range(2):
        layer_state.apply_gradient(gradient(layer_state, 1.0), group=group, step=0, seen=0)
    assert weight(layer_state) == pytest.approx(0.8)
    assert float(layer_state.reply_to(0).values[0]) == pytest.approx(0.8 - 2 * RATE * 0.5)
    (state,) = layer_state.state().values()
    assert float(state["momentum_buffer"][0, 0]) == pytest.approx(2.0)
    other = make(StalenessPolicy("dana", 0.0, 1), momentum=0.5)
    other.load({"weight": state}, groups=2)
    (again,) = other.state().values()
    assert torch.allclose(again["momentum_buffer"], state["momentum_buffer"])


def test_an_heir_loses_no_update_that_any_group_has_seen():
    successor = make()
    size = successor.values.numel()
    successor.adopt(torch.full((size,), 0.9), 5)
    successor.apply_gradient(gradient(successor, 1.0), group=0, step=7, seen=5)
    successor.adopt(torch.full((size,), 0.7), 8)  # another group knew three updates more
    assert weight(successor) == pytest.approx(0.9 - 0.1 + (0.7 - 0.9))
    assert successor.version == 9
    successor.adopt(torch.full((size,), 5.0), 6)  # an older one has nothing to add
    assert weight(successor) == pytest.approx(0.6)


def test_weights_that_are_still_being_sent_stay_as_they_were():
    layer_state, over, replies = make(), {0: False, 1: False}, {}
    for group in over:
        layer_state.apply_gradient(gradient(layer_state, 1.0), group, step=0, seen=0)
        replies[group] = layer_state.reply_to(group)
        layer_state.mark_in_flight(replies[group], lambda group=group: over[group])
    assert replies[0].values[0] == pytest.approx(0.9)
    assert replies[1].values[0] == pytest.approx(0.8)
    over |= {0: True, 1: True}
    layer_state.apply_gradient(gradient(layer_state, 1.0), 0, step=1, seen=1)
    assert layer_state.reply_to(0) is replies[1]
    assert weight(layer_state) == pytest.approx(0.7)
