"""Scores of new events, as files."""
