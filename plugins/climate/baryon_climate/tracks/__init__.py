"""Tracks of storms: read from the field's files, linked from boxes, written, and verified."""
