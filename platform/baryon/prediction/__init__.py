"""Predictions for new samples: who makes them, how they are shared out, where they go."""
