"""Evaluators for event classification."""
