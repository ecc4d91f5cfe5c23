"""Colours that the colour-blind can tell apart: Okabe and Ito, "Color Universal Design" (2008)."""

CLASS_COLOURS = ("#E69F00", "#D55E00", "#0072B2", "#009E73")
"""TD, TC, ETC, AR."""
MUTED = "#7F7F7F"
