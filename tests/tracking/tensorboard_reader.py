"""Read event files as TensorBoard does, and a line of a log."""

LINE = {
    "step": 10, "epoch": 1, "seconds": 2.0, "loss": 0.5, "ce": 0.5, "samples_per_second": 640.0,
    "ms": {"forward": 3.0}, "comm": {"staleness": 1.5}, "why": "text",
}  # fmt: skip


def events(folder):
    """Return the scalars of a folder as TensorBoard reads them, by tag: (step, value)."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    tags = accumulator.Tags()["scalars"]
    return {tag: [(e.step, e.value) for e in accumulator.Scalars(tag)] for tag in tags}
