"""The engine: the loop, optimizers and schedules, checkpoints, meters."""
