"""Early fusion: join the modalities' features before any model sees them, then one model for all.

The term is Baltrušaitis et al.'s (*Multimodal Machine Learning: A Survey and Taxonomy*, TPAMI 2019, section 6.1),
who leave the model open. We take the official code's: token p of all modalities side by side, a linear map to a
narrow width, Transformer layers, a linear head. Differences from it: layers are pre-norm with GELU and the tokens are
averaged (there: post-norm, and the last token alone decides). Neither changes the number of parameters.
"""

import torch
from torch import Tensor, nn

from i2moe.fusion.layers import Linear
from i2moe.fusion.transformer import TransformerLayer
from i2moe.model.fusion import Fused, Fusion, Sizes


class EarlyFusion(Fusion):
    """One Transformer over features that were concatenated token by token.

    Parameters: MHw + L(4w² + 9w + 2wF + F) + wC + C for width w and MLP width F, which is the closed form of the
    official EF with w = 9, L = 3, F = 2048 (120,285 for ADNI at H = 64).
    """

    takes_stacked = True

    def __init__(self, sizes: Sizes, *, width: int, mlp_dim: int, num_layers: int, num_heads: int) -> None:
        """Build the module.

        Raises:
            ValueError: if `num_heads` does not divide `width`.
        """
        super().__init__()
        self.projection = Linear(sizes.num_modalities * sizes.hidden_dim, width, bias=False)
        self.layers = nn.Sequential(
            *(TransformerLayer(width, num_heads, mlp_dim, sizes.dropout, bias=True) for _ in range(num_layers))
        )
        self.head = Linear(width, sizes.num_outputs)

    def fuse(self, embedded: list[Tensor]) -> Fused:
        """Fuse M token tensors [B, P, H]."""
        latent = self.layers(self.projection(torch.cat(embedded, dim=-1))).mean(dim=-2)
        return Fused(self.head(latent), latent)
