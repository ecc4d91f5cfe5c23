"""Completion of words of the command line: the shells' scripts, and the words they ask for."""
