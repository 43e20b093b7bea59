"""Tokens as they are: one of each feature of a vector, step of a sequence or position of an image.

After FL-I2MoE and its follow-up's code (arXiv 2603.13326, 2606.29613): what is frozen stays so, and a projection to
the token width is all that learns.

Shapes: B samples, F features, G groups of features, T steps, h × w positions, H hidden_dim.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from i2moe.model.tokens import Padded


def group_sizes(num_features: int, most: int) -> tuple[int, int]:
    """Return how many tokens a vector becomes, and of how many consecutive features each is.

    Examples:
        >>> group_sizes(30, 128)
        (30, 1)
        >>> group_sizes(300, 128)  # of three features each
        (100, 3)
    """
    length = -(-num_features // most)
    return -(-num_features // length), length


class FeatureTokens(nn.Module):
    """One token of each feature, x_f · e_f + b_f with its own e_f and b_f; of a wide vector, of each group of features.

    A group's token is the sum of its features' and one b. Attention costs the square of the number of tokens, and the
    thousands of features of a frozen network mean nothing one by one.
    """

    def __init__(self, num_features: int, most: int, hidden_dim: int) -> None:
        super().__init__()
        self.num_groups, length = group_sizes(num_features, most)
        self.missing = self.num_groups * length - num_features
        bound = length**-0.5  # as of `nn.Linear`
        self.weight = nn.Parameter(torch.empty(self.num_groups, length, hidden_dim).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(self.num_groups, hidden_dim).uniform_(-bound, bound))

    def forward(self, features: Tensor) -> Tensor:
        """Map features [B, F] to tokens [B, G, H]."""
        groups = functional.pad(features, (0, self.missing)).view(len(features), self.num_groups, -1)
        return torch.einsum("bgf,gfh->bgh", groups, self.weight) + self.bias


class StepTokens(nn.Module):
    """One token of each step, through one shared Linear; what comes after the last real step is padding."""

    def __init__(self, num_features: int, hidden_dim: int) -> None:
        super().__init__()
        self.projection = nn.Linear(num_features, hidden_dim)

    def forward(self, steps: Tensor, lengths: Tensor) -> Padded:
        """Map steps [B, T, F] with lengths [B] to padded tokens [B, T, H]."""
        step = torch.arange(steps.shape[1], device=steps.device)
        return Padded(self.projection(steps), step >= lengths.unsqueeze(1))


class PositionTokens(nn.Module):
    """One token of each position of an image's frozen features, row by row, through one shared Linear."""

    def __init__(self, num_channels: int, hidden_dim: int) -> None:
        super().__init__()
        self.projection = nn.Linear(num_channels, hidden_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Map features [B, C, h, w] to tokens [B, h·w, H]."""
        return self.projection(images.flatten(2).transpose(1, 2))  # type: ignore[no-any-return]
