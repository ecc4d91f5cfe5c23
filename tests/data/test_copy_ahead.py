"""The order of copies to a GPU, seen without one: stand-ins for streams and tensors note it."""

from contextlib import contextmanager

import pytest
import torch

from baryon.data.device_copy import on_device

GPU = torch.device("cuda", 0)


class Note:
    """Stands for the device: what was asked of it, in order."""

    def __init__(self, monkeypatch):
        self.seen: list[tuple[str, ...]] = []
        self.current, note = "computing", self

        class Stream:
            def __init__(self, device):
                self.name = "copying"

        class Event:
            def record(self, stream):
                note.seen.append(("record", stream.name, note.last))
                self.batch = note.last

        class Computing:
            def wait_event(self, event):
                note.seen.append(("wait", event.batch))

        @contextmanager
        def stream(chosen):
            note.current = chosen.name
            yield
            note.current = "computing"

        for name, value in {"Stream": Stream, "Event": Event, "stream": stream}.items():
            monkeypatch.setattr(torch.cuda, name, value)
        computing = Computing()
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: computing)
        self.computing = computing

    def tensor(self, batch):
        note = self

        class Tensor:
            def to(self, device, *, non_blocking):
                assert (device, non_blocking) == (GPU, True)
                note.last = batch
                note.seen.append(("copy", batch, note.current))
                return self

            def record_stream(self, stream):
                assert stream is note.computing
                note.seen.append(("keep", batch))

        return Tensor()


@pytest.fixture
def note(monkeypatch):
    return Note(monkeypatch)


def batches(note, count, closed):
    try:
        for number in range(count):
            yield {"inputs": note.tensor(str(number))}
    finally:
        closed.append(True)


def test_on_device_copies_one_batch_ahead(note):
    closed: list[bool] = []
    for _ in on_device(batches(note, 3, closed), GPU):
        note.seen.append(("compute",))

    def copied(number):
        return [("copy", number, "copying"), ("record", "copying", number)]

    def computed(number):
        return [("wait", number), ("keep", number), ("compute",)]

    assert note.seen == [
        *copied("0"), *copied("1"), *computed("0"), *copied("2"), *computed("1"), *computed("2"),
    ]  # fmt: skip
    assert closed


def test_on_device_close_closes_source(note):
    closed: list[bool] = []
    coming = on_device(batches(note, 3, closed), GPU)
    next(coming)
    coming.close()
    assert closed
