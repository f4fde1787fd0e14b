"""Trains the 8-bit depthwise-separable digits network and its float baseline; writes model.onnx
(QONNX) and vectors.npz.

Needs the extra packages of train-requirements.txt. In the root of the repository:

    python -m designs.digits_dscnn.train [--epochs 60] [--seed 1] [--out designs/digits_dscnn]
"""

from pathlib import Path

import brevitas.nn as qnn
from brevitas.quant import Int8WeightPerChannelFloat
from brevitas.quant import Uint8ActPerTensorFloat as ActQuant
from torch import nn

from designs import digits_training

BLOCKS = ((16, 24, 1), (24, 32, 2), (32, 32, 1))
"""Channels in and out, and stride, of each depthwise convolution with the 1x1 one behind it."""
BITS = 8


class PixelQuant(digits_training.PixelQuant):
    bit_width = BITS


def conv(
    width: int, channels: int, kernel: int, *, stride: int = 1, groups: int = 1, exact: bool
) -> list[nn.Module]:
    """A convolution with BatchNorm and ReLU, in floats if `exact`."""
    options = {"stride": stride, "padding": kernel // 2, "groups": groups, "bias": False}
    if exact:
        layer: nn.Module = nn.Conv2d(width, channels, kernel, **options)
        return [layer, nn.BatchNorm2d(channels), nn.ReLU()]
    layer = qnn.QuantConv2d(
        width,
        channels,
        kernel,
        weight_quant=Int8WeightPerChannelFloat,
        weight_bit_width=BITS,
        **options,
    )
    return [
        layer,
        nn.BatchNorm2d(channels),
        qnn.QuantReLU(act_quant=ActQuant, bit_width=BITS),
    ]


def network(*, exact: bool) -> nn.Module:
    layers: list[nn.Module] = [] if exact else [qnn.QuantIdentity(act_quant=PixelQuant)]
    layers += conv(1, BLOCKS[0][0], 3, exact=exact)
    for width, channels, stride in BLOCKS:
        layers += conv(width, width, 3, stride=stride, groups=width, exact=exact)
        layers += conv(width, channels, 1, exact=exact)
    layers.append(nn.AvgPool2d(4))
    channels = BLOCKS[-1][1]
    head: nn.Module = nn.Linear(channels, 10)
    if not exact:
        layers.append(qnn.QuantIdentity(act_quant=ActQuant, bit_width=BITS))
        head = qnn.QuantLinear(
            channels, 10, bias=True, weight_quant=Int8WeightPerChannelFloat, weight_bit_width=BITS
        )
    return nn.Sequential(*layers, nn.Flatten(), head)


if __name__ == "__main__":
    digits_training.run(
        lambda: network(exact=False),
        lambda: network(exact=True),
        Path(__file__).parent,
        bits=BITS,
        epochs=60,
    )
