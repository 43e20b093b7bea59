"""Fusion methods: M token tensors [B, P, H] in, logits [B, C] out; written for one expert, one file a method.

A fusion method stands alone as a vanilla baseline, and `i2moe.experts.Experts` runs several of them at once.
"""

from collections.abc import Callable

from torch import nn

from i2moe.fusion.mult import MulT

# Each value builds the method from (num_modalities, num_patches, hidden_dim, num_outputs, dropout, **its own).
FUSIONS: dict[str, Callable[..., nn.Module]] = {"mult": MulT}
