"""The engine: the loop, optimisers and schedules, checkpoints, meters."""
