"""Name colours that the colour-blind can tell apart.

Source: M. Okabe, K. Ito, "Color Universal Design" (2008).
"""

NETWORK = SIGNAL = "#0072B2"
CUTS = "#D55E00"
BACKGROUND = "#E69F00"
MUTED = "#7F7F7F"
