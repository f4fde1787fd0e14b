"""Trains the 3-bit digits MLP and its float baseline; writes model.onnx (QONNX) and vectors.npz.

Needs the extra packages of train-requirements.txt. In the root of the repository:

    python -m designs.digits_mlp.train [--epochs 120] [--seed 1] [--out designs/digits_mlp]
"""

from pathlib import Path

import brevitas.nn as qnn
from brevitas.quant import Int8WeightPerTensorFloat, Uint8ActPerTensorFloat
from torch import nn

from designs import digits_training

HIDDEN = (64, 32)
BITS = 3


class PixelQuant(digits_training.PixelQuant):
    bit_width = BITS


def quantized() -> nn.Module:
    layers: list[nn.Module] = [
        nn.Flatten(),
        qnn.QuantIdentity(act_quant=PixelQuant, return_quant_tensor=True),
    ]
    width = 64
    for hidden in HIDDEN:
        layers += [
            qnn.QuantLinear(
                width,
                hidden,
                bias=False,
                weight_quant=Int8WeightPerTensorFloat,
                weight_bit_width=BITS,
            ),
            nn.BatchNorm1d(hidden),
            qnn.QuantReLU(
                act_quant=Uint8ActPerTensorFloat, bit_width=BITS, return_quant_tensor=True
            ),
        ]
        width = hidden
    last = qnn.QuantLinear(
        width, 10, bias=True, weight_quant=Int8WeightPerTensorFloat, weight_bit_width=BITS
    )
    return nn.Sequential(*layers, last)


def float_baseline() -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    width = 64
    for hidden in HIDDEN:
        layers += [nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, 10))


if __name__ == "__main__":
    digits_training.run(quantized, float_baseline, Path(__file__).parent, bits=BITS)
