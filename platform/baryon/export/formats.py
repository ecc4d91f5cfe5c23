"""Write models in each format of `baryon export`, and load them again to be compared."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from baryon.errors import BaryonError
from baryon.export.description import KEY, as_json, build
from baryon.export.exported_model import Exported, named
from baryon.plugins.registry import discover
from baryon.system.plain_data import parse_json

Call = Callable[[torch.Tensor], Any]
BATCH = "batch"
GIB = 2**30
ONNX_LIMIT = 2 * GIB
"""Bytes that a protobuf message, which an ONNX file is, can hold."""


@dataclass(frozen=True)
class Format:
    """How a format is written and loaded."""

    write: Callable[[Exported, Mapping[str, Any], torch.Tensor, Path], None]
    """Write a model, its description and, where needed, an example of its inputs (N, ...)."""
    load: Callable[[Path], Call]
    """Return a function of stored values (N, channels, ...) float32, called to be compared."""


def write_safetensors(
    exported: Exported, description: Mapping[str, Any], example: torch.Tensor, path: Path
) -> None:
    """Write the weights under the model's own names, and the description as metadata."""
    del example
    from safetensors.torch import save_model

    metadata = {"format": "pt", KEY: as_json(description)}
    save_model(exported.model, str(path), metadata=metadata)


def load_safetensors(path: Path | str) -> Exported:
    """Build the model that a file describes and load its weights.

    Raises
    ------
    BaryonError
        If the file was not written by `baryon export`, or if no plugin offers the model.

    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_model

    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise BaryonError(f"{path} cannot be read as safetensors ({error})") from error
    if KEY not in metadata:
        raise BaryonError(f"{path} was not written by `baryon export`: it has no {KEY!r} metadata")
    plugins = discover()
    plugins.check()
    try:
        description = parse_json(metadata[KEY])
    except ValueError as error:
        raise BaryonError(
            f"{path} is damaged: its {KEY!r} metadata are not JSON ({error})"
        ) from error
    exported = build(description, plugins)
    load_model(exported.model, str(path))
    return exported


def write_torch(
    exported: Exported, description: Mapping[str, Any], example: torch.Tensor, path: Path
) -> None:
    """Write a program of `torch.export`, which needs neither Baryon nor the plugin."""
    program, files = _program(exported, example), {f"{KEY}.json": as_json(description)}
    program.example_inputs = None  # they may be larger than the model
    with warnings.catch_warnings(action="ignore"):  # weights may share memory
        torch.export.save(program, path, extra_files=files)


def load_torch(path: Path) -> Call:
    """Load with PyTorch alone."""
    call: Call = torch.export.load(path).module()
    return call


def write_onnx(
    exported: Exported, description: Mapping[str, Any], example: torch.Tensor, path: Path
) -> None:
    """Write one ONNX file with the weights in it.

    Raises
    ------
    BaryonError
        If the model has 2 GiB of weights or more, or if ONNX is not installed.

    """
    _require_onnx()
    size = sum(value.nbytes for value in exported.state_dict().values())
    if size >= ONNX_LIMIT:
        raise BaryonError(
            f"the model has {size / GIB:.1f} GiB of weights, and an ONNX file holds less than 2: "
            "use format=torch"
        )
    with torch.inference_mode():
        names = list(named(exported(example)))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is missing
    with warnings.catch_warnings(action="ignore"):  # they are about the exporter's own code
        program = torch.onnx.export(
            _program(exported, example),
            input_names=["inputs"],
            output_names=names,
            dynamic_shapes=({0: BATCH},),  # gives the free axis its name
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props[KEY] = as_json(description)
    program.save(path, external_data=False)


def load_onnx(path: Path) -> Call:
    """Load with ONNX Runtime, on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def call(inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        values = session.run(names, {"inputs": inputs.numpy()})
        return {name: torch.from_numpy(value) for name, value in zip(names, values, strict=True)}

    return call


def _program(exported: Exported, example: torch.Tensor) -> torch.export.ExportedProgram:
    """Trace a model for any number of samples; raise `BaryonError` if it cannot be traced."""
    batch = torch.export.Dim(BATCH, min=1)
    try:
        with warnings.catch_warnings(action="ignore"), torch.no_grad():
            return torch.export.export(exported, (example,), dynamic_shapes=({0: batch},))
    except Exception as error:  # torch.export raises many kinds
        reason = str(error).strip().splitlines()[0]
        raise BaryonError(
            f"torch.export cannot trace {type(exported.model).__name__} ({reason}): "
            "format=safetensors writes any model"
        ) from error


def _require_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise BaryonError(
            f"format=onnx needs {error.name}, which is not installed: pip install 'baryon[onnx]'"
        ) from error


FORMATS: Mapping[str, Format] = {
    "safetensors": Format(write_safetensors, load_safetensors),
    "torch": Format(write_torch, load_torch),
    "onnx": Format(write_onnx, load_onnx),
}
