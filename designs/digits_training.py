"""What the digits designs share: data, training, export. Needs torch, Brevitas and scikit-learn.

The data are scikit-learn's bundled 8x8 digits, a quarter of them (450) held out as the test split.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from brevitas.export import export_qonnx
from brevitas.inject.enum import ScalingImplType
from brevitas.quant import Uint8ActPerTensorFloat
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn


class PixelQuant(Uint8ActPerTensorFloat):
    """Pixels k/16 on a fixed grid from 0 to 1; subclasses set `bit_width`."""

    scaling_impl_type = ScalingImplType.CONST
    scaling_init = 1.0


def run(
    quantized: Callable[[], nn.Module],
    float_baseline: Callable[[], nn.Module],
    folder: Path,
    *,
    bits: int,
    epochs: int = 120,
) -> None:
    """Trains both models; writes model.onnx (QONNX) and vectors.npz where the command line says."""
    parser = argparse.ArgumentParser(description="Trains the design and its float baseline.")
    parser.add_argument("--epochs", type=int, default=epochs)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=folder)
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
    _train(baseline, x, y, arguments.epochs)
    print(f"float baseline   test accuracy {_accuracy(baseline, held_x, held_y):.4f}")
    model = quantized()
    _train(model, x, y, arguments.epochs)
    print(f"{bits}-bit quantized  test accuracy {_accuracy(model, held_x, held_y):.4f}")

    path = arguments.out / "model.onnx"
    export_qonnx(model, args=held_x[:1], export_path=str(path), dynamo=False, opset_version=17)
    with torch.no_grad():
        output = model(held_x)
    output = getattr(output, "value", output).numpy()
    np.savez_compressed(
        arguments.out / "vectors.npz", input=test_x, output=output, label=test_y.astype(np.int64)
    )
    print(f"wrote {path} and vectors.npz ({len(test_x)} samples)")


def _train(model: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int) -> None:
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


def _accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    with torch.no_grad():
        return float((model(x).argmax(1) == y).float().mean())
