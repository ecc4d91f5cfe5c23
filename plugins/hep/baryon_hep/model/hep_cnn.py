"""Model `hep_cnn`: the supervised network of "Deep Learning at 15PF" (SC17, arXiv:1708.05256).

At 224 x 224 (reported: `intel/caffe` `spearmint/prepare_experiment.py` and `hep_cnn_benchmark`):
five 3x3 convolutions of 128 filters, each with bias and ReLU, the first four followed by 2x2 max
pooling, the fifth by global average pooling; a fully connected layer to two classes. 594,178
parameters, 2.267 MiB in float32, 5.260 GFLOP forward (derived, 2 x multiply-adds).

At 64 x 64 (reported: `cori_knl_64.json`): three such blocks with pooling, then fully connected
layers of 512 and 2. He initialisation, zero biases.

On a GPU convolution, pooling and ReLU are one layer of the convolution's name (`fused`), with the
same parameters.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Literal, TypeAlias

from torch import nn

from baryon.errors import BaryonError
from baryon.interfaces import Field
from baryon_hep.model.cylinder import CylinderConvolution
from baryon_hep.model.fused.choice import is_fused

Padding: TypeAlias = Literal["zeros", "circular_rows", "circular_columns"]

CLASSES = 2
HIDDEN_64 = 512
POOLINGS = {64: 3, 224: 4}
"""Image size -> convolutions that are followed by 2x2 max pooling."""


def hep_cnn(
    *,
    filters: int,
    dropout: float,
    leakiness: float,
    padding: Padding,
    kernels: Literal["auto", "fused", "plain"],
    fields: Mapping[str, Field],
) -> nn.Sequential:
    """Build the classifier: logits (N, 2) of images (N, channels, S, S), class 1 is signal.

    Parameters
    ----------
    filters
        Number of filters of every convolution.
    dropout
        Probability of dropping an activation after each pooling; 0: no dropout.
    leakiness
        Slope of the ReLU below 0.
    padding
        What convolutions see beyond the edges: zeros, or on the two edges that meet on the cylinder
        the other edge: those of the rows (`circular_rows`) or of the columns.
    kernels
        `fused` takes our kernels for a GPU, `plain` PyTorch's own, `auto` the fused ones where
        they work.
    fields
        Fields of the dataset, of which `inputs` has the shape (channels, S, S).

    Raises
    ------
    BaryonError
        If S is neither 64 nor 224, for which the authors define the network; if fused kernels are
        asked for with circular padding, which they do not know.

    """
    channels, height, width = fields["inputs"].shape
    if height != width or height not in POOLINGS:
        raise BaryonError(
            f"model 'hep_cnn' is defined for images of 64x64 and 224x224, not {height}x{width}: "
            "generate or choose files of one of these sizes"
        )
    poolings = POOLINGS[height]
    block = _fused_block if _takes_fused(kernels, padding) else _plain_block
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number in range(1, poolings + 1):
        channels_in = channels if number == 1 else filters
        layers |= block(number, channels_in, filters, leakiness, padding)
        if dropout:
            layers[f"dropout{number}"] = nn.Dropout(dropout)
    if height == 224:
        layers |= _averaging_head(poolings + 1, filters, leakiness, padding)
    else:
        layers |= _dense_head(filters * (height // 2**poolings) ** 2, leakiness)
    model = nn.Sequential(layers)
    model.apply(_initialise)
    return model


def _takes_fused(kernels: Literal["auto", "fused", "plain"], padding: Padding) -> bool:
    if padding == "zeros":
        return is_fused(kernels)
    if kernels == "fused":
        raise BaryonError(
            f"model.kernels=fused knows padding by zeros alone: leave model.padding={padding} or "
            "give model.kernels=plain"
        )
    return False


def _plain_block(
    number: int, channels: int, filters: int, leakiness: float, padding: Padding
) -> dict[str, nn.Module]:
    # ReLU after the pooling has a quarter of the work. The largest of four values is the same
    # before and after a function that never falls, and so is its gradient.
    return {
        f"conv{number}": _convolution(channels, filters, padding),
        f"pool{number}": nn.MaxPool2d(2),
        f"relu{number}": _relu(leakiness),
    }


def _fused_block(
    number: int, channels: int, filters: int, leakiness: float, padding: Padding
) -> dict[str, nn.Module]:
    assert padding == "zeros"
    from baryon_hep.model.fused.block import Block  # needs Triton

    return {f"conv{number}": Block(channels, filters, leakiness)}


def _convolution(channels: int, filters: int, padding: Padding) -> nn.Conv2d:
    if padding == "zeros":
        return nn.Conv2d(channels, filters, kernel_size=3, padding=1)
    return CylinderConvolution(channels, filters, axis=2 if padding == "circular_rows" else 3)


def _averaging_head(
    number: int, filters: int, leakiness: float, padding: Padding
) -> OrderedDict[str, nn.Module]:
    return OrderedDict(
        {
            f"conv{number}": _convolution(filters, filters, padding),
            f"relu{number}": _relu(leakiness),
            "average": nn.AdaptiveAvgPool2d(1),
            "flatten": nn.Flatten(),
            "fc": nn.Linear(filters, CLASSES),
        }
    )


def _dense_head(features: int, leakiness: float) -> OrderedDict[str, nn.Module]:
    return OrderedDict(
        flatten=nn.Flatten(),
        fc1=nn.Linear(features, HIDDEN_64),
        relu_fc1=_relu(leakiness),
        fc=nn.Linear(HIDDEN_64, CLASSES),
    )


def _relu(leakiness: float) -> nn.Module:
    return nn.LeakyReLU(leakiness, inplace=True) if leakiness else nn.ReLU(inplace=True)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
