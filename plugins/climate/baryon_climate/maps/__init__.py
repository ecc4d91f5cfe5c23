"""One look for all maps: water vapour, coastlines, the boxes of storms."""
