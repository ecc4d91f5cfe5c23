"""Boxes: what a network says of them, how much they overlap, which of them stay."""
