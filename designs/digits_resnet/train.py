"""Trains the 4-bit residual digits network and its float baseline; writes model.onnx (QONNX) and
vectors.npz.

Needs the extra packages of train-requirements.txt. In the root of the repository:

    python -m designs.digits_resnet.train [--epochs 60] [--seed 1] [--out designs/digits_resnet]
"""

from pathlib import Path

import brevitas.nn as qnn
import torch
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat
from brevitas.quant import Uint8ActPerTensorFloat as ActQuant
from torch import nn

from designs import digits_training

CHANNELS = (8, 16)
BITS = 4


class PixelQuant(digits_training.PixelQuant):
    bit_width = BITS


def conv(width: int, channels: int, kernel: int, *, stride: int, exact: bool) -> nn.Module:
    """A convolution with BatchNorm, in floats if `exact`."""
    options = {"stride": stride, "padding": kernel // 2, "bias": False}
    if exact:
        layer: nn.Module = nn.Conv2d(width, channels, kernel, **options)
    else:
        layer = qnn.QuantConv2d(
            width,
            channels,
            kernel,
            weight_quant=Int8WeightPerChannelFloat,
            weight_bit_width=BITS,
            **options,
        )
    return nn.Sequential(layer, nn.BatchNorm2d(channels))


def relu(*, exact: bool) -> nn.Module:
    return nn.ReLU() if exact else qnn.QuantReLU(act_quant=ActQuant, bit_width=BITS)


class Residual(nn.Module):
    """Two convolutions, and a path past them; both ends of the sum share one quantiser."""

    def __init__(self, width: int, channels: int, *, stride: int, exact: bool):
        super().__init__()
        self.first = conv(width, channels, 3, stride=stride, exact=exact)
        self.inner = relu(exact=exact)
        self.second = conv(channels, channels, 3, stride=1, exact=exact)
        self.past: nn.Module = nn.Identity()
        if stride != 1 or width != channels:
            self.past = conv(width, channels, 1, stride=stride, exact=exact)
        self.shared: nn.Module = nn.Identity()
        if not exact:
            self.shared = qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat, bit_width=BITS + 1)
        self.outer = relu(exact=exact)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second(self.inner(self.first(x)))
        return self.outer(self.shared(y) + self.shared(self.past(x)))


def network(*, exact: bool) -> nn.Module:
    small, large = CHANNELS
    head = nn.Linear(large, 10)
    if not exact:
        head = qnn.QuantLinear(
            large, 10, bias=True, weight_quant=Int8WeightPerChannelFloat, weight_bit_width=BITS
        )
    return nn.Sequential(
        nn.Identity() if exact else qnn.QuantIdentity(act_quant=PixelQuant),
        conv(1, small, 3, stride=1, exact=exact),
        relu(exact=exact),
        Residual(small, small, stride=1, exact=exact),
        Residual(small, large, stride=2, exact=exact),
        nn.AvgPool2d(4),
        nn.Identity() if exact else qnn.QuantIdentity(act_quant=ActQuant, bit_width=2 * BITS),
        nn.Flatten(),
        head,
    )


if __name__ == "__main__":
    digits_training.run(
        lambda: network(exact=False),
        lambda: network(exact=True),
        Path(__file__).parent,
        bits=BITS,
        epochs=60,
    )
