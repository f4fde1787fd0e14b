#!/usr/bin/env python3
"""Trains the 3-bit digits MLP and its float baseline; writes model.onnx (QONNX) and vectors.npz.

Needs the extra packages of train-requirements.txt. The data are scikit-learn's bundled 8x8 digits,
a quarter of them (450) held out as the test split.

    python train.py [--epochs 120] [--seed 1] [--out .]
"""

import argparse
from pathlib import Path

import brevitas.nn as qnn
import numpy as np
import torch
from brevitas.export import export_qonnx
from brevitas.inject.enum import ScalingImplType
from brevitas.quant import Int8WeightPerTensorFloat, Uint8ActPerTensorFloat
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

HIDDEN = (64, 32)
BITS = 3


class PixelQuant(Uint8ActPerTensorFloat):
    """Pixels k/16 on a fixed grid of eight levels, 0, 1/7, ... 1."""

    bit_width = BITS
    scaling_impl_type = ScalingImplType.CONST
    scaling_init = 1.0


def quantized() -> nn.Sequential:
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


def float_baseline() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    width = 64
    for hidden in HIDDEN:
        layers += [nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, 10))


def train(model: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    loss = nn.CrossEntropyLoss()
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for batch in order.split(64):
            noisy = x[batch] + 0.02 * torch.randn_like(x[batch])
            optimizer.zero_grad()
            loss(model(noisy.clamp(0, 1)), y[batch]).backward()
            optimizer.step()
        schedule.step()
    model.eval()


def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    with torch.no_grad():
        return float((model(x).argmax(1) == y).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)

    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[:, None]
    train_x, test_x, train_y, test_y = train_test_split(
        images, digits.target, test_size=450, random_state=7, stratify=digits.target
    )
    x, y = torch.from_numpy(train_x), torch.from_numpy(train_y)
    held_x, held_y = torch.from_numpy(test_x), torch.from_numpy(test_y)

    baseline = float_baseline()
    train(baseline, x, y, arguments.epochs)
    print(f"float baseline   test accuracy {accuracy(baseline, held_x, held_y):.4f}")
    model = quantized()
    train(model, x, y, arguments.epochs)
    print(f"{BITS}-bit quantized  test accuracy {accuracy(model, held_x, held_y):.4f}")

    path = arguments.out / "model.onnx"
    export_qonnx(model, args=held_x[:1], export_path=str(path), dynamo=False, opset_version=17)
    with torch.no_grad():
        output = model(held_x)
    output = getattr(output, "value", output).numpy()
    np.savez_compressed(
        arguments.out / "vectors.npz", input=test_x, output=output, label=test_y.astype(np.int64)
    )
    print(f"wrote {path} and vectors.npz ({len(test_x)} samples)")


if __name__ == "__main__":
    main()
