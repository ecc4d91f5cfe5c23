"""Boxes around storms in new files: as tables, on the globe, on maps."""
