"""Trains the 4-bit digits CNN and its float baseline; writes model.onnx (QONNX) and vectors.npz.

Needs the extra packages of train-requirements.txt. In the root of the repository:

    python -m designs.digits_cnn.train [--epochs 60] [--seed 1] [--out designs/digits_cnn]
"""

from pathlib import Path

import brevitas.nn as qnn
from brevitas.quant import Int8WeightPerChannelFloat, Int8WeightPerTensorFloat
from brevitas.quant import Uint8ActPerTensorFloat as ActQuant
from torch import nn

from designs import digits_training

CHANNELS = (8, 16)
BITS = 4


class PixelQuant(digits_training.PixelQuant):
    bit_width = BITS


def quantized() -> nn.Module:
    layers: list[nn.Module] = [qnn.QuantIdentity(act_quant=PixelQuant)]
    width = 1
    for channels in CHANNELS:
        layers += [
            qnn.QuantConv2d(
                width,
                channels,
                3,
                padding=1,
                bias=False,
                weight_quant=Int8WeightPerChannelFloat,
                weight_bit_width=BITS,
            ),
            nn.BatchNorm2d(channels),
            qnn.QuantReLU(act_quant=ActQuant, bit_width=BITS),
            nn.MaxPool2d(2),
        ]
        width = channels
    last = qnn.QuantLinear(
        4 * width, 10, bias=True, weight_quant=Int8WeightPerTensorFloat, weight_bit_width=BITS
    )
    return nn.Sequential(*layers, nn.Flatten(), last)


def float_baseline() -> nn.Module:
    layers: list[nn.Module] = []
    width = 1
    for channels in CHANNELS:
        layers += [
            nn.Conv2d(width, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
        width = channels
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4 * width, 10))


if __name__ == "__main__":
    digits_training.run(quantized, float_baseline, Path(__file__).parent, bits=BITS, epochs=60)
