"""The engine of a run: trainer, optimizers and schedules, checkpoints, autotuning, metrics."""
