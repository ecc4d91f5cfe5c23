"""Gradients on their way out of backward: layers, buckets, the reducer."""
