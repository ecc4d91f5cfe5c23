"""Scored events for properties that hold for any of them."""

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

WEIGHTS = st.sampled_from([0.0, 1e-3, 0.5, 1.0, 7.0, 1e4])


@st.composite
def samples(draw):
    """Few distinct scores, so that there are ties within and between the classes."""
    event = st.tuples(st.integers(-3, 3), WEIGHTS, st.booleans())
    score, weight, signal = zip(*draw(st.lists(event, min_size=2, max_size=40)), strict=True)
    score, weight, signal = np.array(score, float), np.array(weight), np.array(signal)
    assume(weight[signal].sum() > 0)
    assume(weight[~signal].sum() > 0)
    return score, weight, signal
