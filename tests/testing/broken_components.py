"""A small field whose components each break one promise on demand; the kit must find out."""

import threading

import numpy as np
from torch import nn

from baryon import interfaces
from baryon.interfaces import Evaluation, Field, Normalisation

CLASSES = 2


class Dataset(interfaces.Dataset):
    """Points and their class."""

    def __init__(self, *, fault: str) -> None:
        kind = Unscaled if fault == "normalisation" else Split
        self.splits = {"train": kind(20, fault), "test": kind(20, fault)}
        if fault == "open_inputs":
            self.open_inputs = self.open_input


class Split(interfaces.Split):
    def __init__(self, size, fault):
        self._size, self._fault = size, fault
        if fault == "augmet":
            self.augmet = self.augment
        self._open = threading.Lock() if fault == "pickle" else None

    @property
    def fields(self):
        inputs = "points" if self._fault == "no_inputs" else "inputs"
        return {inputs: Field((3,), "float32"), "label": Field((), "int64")}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._moved = 1 if self._fault == "copy" else 0

    def __len__(self):
        return self._size

    def chunk_starts(self):
        return [0, 10, 10] if self._fault == "chunks" else [0, 10]

    def read(self, start, stop):
        points = np.arange(start * 3, stop * 3, dtype="float32").reshape(-1, 3) / 60
        if self._fault == "dtype":
            points = points.astype("float64")
        if self._fault == "shape":
            points = points[:, :2]
        label = (np.arange(start, stop) + getattr(self, "_moved", 0)) % CLASSES
        if self._fault == "late" and start:
            label = label / 2
        return {"inputs": points} if self._fault == "field" else {"inputs": points, "label": label}

    def fingerprint(self):
        return "" if self._fault == "fingerprint" else "points"

    def close(self): ...


class Unscaled(Split):
    """Says how it scales the stored values, but not what they are."""

    def normalisation(self):
        return Normalisation(("x", "y", "z"), (0.0,) * 3, (1.0,) * 3)


class Extra:
    """Something that reading without running code refuses."""


class Model(nn.Module):
    """Logits of points."""

    def __init__(self, *, fault: str, fields) -> None:
        super().__init__()
        self._fault = fault
        self.layer = nn.Linear(4 if fault == "forward" else 3, CLASSES)
        if fault == "idle":
            self.unused = nn.Linear(3, 3)

    def forward(self, inputs):
        output = self.layer(inputs)
        if self._fault == "detached":
            return output.detach()
        if self._fault == "infinite_gradient":
            return output + (self.layer.weight.sum() * 0).abs().sqrt()
        return output.numpy(force=True) if self._fault == "output" else output

    def get_extra_state(self):
        return Extra() if self._fault == "state" else None

    def set_extra_state(self, state): ...


class Loss:
    """Cross-entropy."""

    def __init__(self, *, fault: str) -> None:
        self._fault = fault

    def __call__(self, output, batch):
        name = "labels" if self._fault == "field" else "label"
        each = nn.functional.cross_entropy(output, batch[name], reduction="none")
        if self._fault == "vector":
            return {"cross_entropy": each}
        if self._fault == "not_finite":
            return {"cross_entropy": each.mean() * float("nan")}
        if self._fault == "sum":
            return {"cross_entropy": each.sum()}
        if self._fault == "tensor":
            return each.mean()
        return {} if self._fault == "nothing" else {"cross_entropy": each.mean()}


class Evaluator:
    """The share of right answers."""

    def __init__(self, *, fault: str) -> None:
        self._fault = fault
        self._right = self._seen = 0

    def update(self, output, batch):
        if self._fault == "update":
            output = output["logits"]
        self._right += int((output.argmax(dim=1) == batch["label"]).sum())
        self._seen += len(output)

    def state(self):
        if self._fault == "pickle":
            return lambda: (self._right, self._seen)
        return self._right, self._seen

    def merge(self, state):
        right, seen = state
        self._right += right
        self._seen += 0 if self._fault == "merge" else seen

    def result(self):
        share = self._right / self._seen
        if self._fault == "result":
            share /= 0
        if self._fault == "array":
            return Evaluation(summary="fine", metrics={"accuracy": np.array([share])})
        judged_by = {"judged_by": ("-accuracies",), "letters": "accuracy"}.get(self._fault, ())
        return Evaluation(summary=f"{share:.0%}", metrics={"accuracy": share}, judged_by=judged_by)
