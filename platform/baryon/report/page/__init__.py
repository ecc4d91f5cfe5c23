"""Pages that open in any browser: one self-contained HTML file each, which needs no network.

HTML is rendered here, and drawn by a few hundred lines of JavaScript of our own: the smallest chart
libraries that have a log scale, zoom and keyboard weigh more, and none of them is accessible.
"""
