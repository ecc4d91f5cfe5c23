"""Name the colours of the classes: all differ from the blues and greens of the maps under them."""

from baryon.figures import GREY, ORANGE, VERMILION

CLASS_COLOURS = (ORANGE, VERMILION, "#882255", "#332288")
"""TD, TC, ETC, AR; the last two, wine and indigo, are P. Tol's "muted" colours (2021)."""
MUTED = GREY
