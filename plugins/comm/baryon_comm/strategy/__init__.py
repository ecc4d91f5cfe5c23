"""Strategies: what becomes of a group's gradient, the one thing in which communicators differ."""
