"""Layers whose weights and activations carry a leading ensemble axis.

An ensemble of m members is m networks in one: weights (m, …), activations (m, n, width).
A single model has m = 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from openff_bytepol.graph.message_passing import scatter_sum

ACTIVATIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "gelu": functional.gelu,
    "relu": functional.relu,
    "silu": functional.silu,
    "elu": functional.elu,
    "tanh": torch.tanh,
    "leaky_relu": functional.leaky_relu,
}


class Linear(nn.Module):
    """Affine map (m, n, size_in) → (m, n, size_out)."""

    def __init__(self, n_members: int, size_in: int, size_out: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_members, size_out, size_in))
        self.bias = nn.Parameter(torch.empty(n_members, size_out)) if bias else None
        bound = 1.0 / math.sqrt(size_in)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        if self.bias is None:
            return torch.bmm(x, self.weight.mT)
        return torch.baddbmm(self.bias.unsqueeze(1), x, self.weight.mT)


class Embedding(nn.Module):
    """Table look-up (n,) → (m, n, width)."""

    def __init__(self, n_members: int, size: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_members, size, width))

    def forward(self, index: Tensor) -> Tensor:
        return self.weight.index_select(1, index)


class LayerNorm(nn.Module):
    """Normalization over the last axis of (m, n, width)."""

    def __init__(self, n_members: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n_members, width))
        self.bias = nn.Parameter(torch.zeros(n_members, width))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.layer_norm(x, x.shape[-1:])
        return x * self.weight.unsqueeze(1) + self.bias.unsqueeze(1)


SMALL_START: Final = 0.1
"""Factor on the last map of a perceptron that starts with outputs near zero."""


class Perceptron(nn.Module):
    """Linear maps with an activation between them, and after the last one if asked.

    With ``small_start`` the last map is scaled down and its bias is zero at first.
    """

    def __init__(
        self,
        n_members: int,
        sizes: Sequence[int],
        activation: str,
        *,
        bias: bool = True,
        activate_last: bool = False,
        small_start: bool = False,
    ) -> None:
        super().__init__()
        layers = [Linear(n_members, a, b, bias=bias) for a, b in pairwise(sizes)]
        if small_start:
            layers[-1].weight.data *= SMALL_START
            if layers[-1].bias is not None:
                layers[-1].bias.data.zero_()
        self.layers = nn.ModuleList(layers)
        self.activation = ACTIVATIONS[activation]
        self.activate_last = activate_last

    @property
    def first(self) -> Linear:
        """The first linear map."""
        return cast(Linear, self.layers[0])

    def forward(self, x: Tensor) -> Tensor:
        return self.after_first(self.first(x))

    def after_first(self, x: Tensor) -> Tensor:
        """Everything that follows the first linear map."""
        for layer in self.layers[1:]:
            x = layer(self.activation(x))
        return self.activation(x) if self.activate_last else x


def sizes_of(size_in: int, hidden: int, size_out: int, layers: int) -> list[int]:
    """Widths of a perceptron with ``layers`` linear maps."""
    return [size_in, *[hidden] * (layers - 1), size_out]


def class_mean(values: Tensor, classes: Tensor, n_classes: int) -> Tensor:
    """Replace each row by the mean of its class: (m, n, …), (n,) → (m, n, …)."""
    counts = torch.bincount(classes, minlength=n_classes).to(values.dtype)
    shape = (1, -1, *[1] * (values.dim() - 2))
    means = scatter_sum(values, classes, n_classes) / counts.view(shape)
    return means.index_select(1, classes)


def straight_through_clamp(value: Tensor, minimum: float, maximum: float) -> Tensor:
    """Clamp that still passes gradients outside its limits, so that values can return."""
    return value + (value.clamp(minimum, maximum) - value).detach()
