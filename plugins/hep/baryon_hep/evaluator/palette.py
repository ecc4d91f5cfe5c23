"""Name the colours of what the figures compare."""

from baryon.figures import BLUE, GREY, ORANGE, VERMILION

NETWORK = SIGNAL = BLUE
CUTS = VERMILION
BACKGROUND = ORANGE
MUTED = GREY
