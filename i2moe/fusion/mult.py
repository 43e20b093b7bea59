"""MulT: one Transformer over the concatenated tokens of all modalities.

The paper calls this MulT after Tsai et al. (*Multimodal Transformer for Unaligned Multimodal Language Sequences*,
ACL 2019), but describes and runs a single self-attention stack over the concatenation instead of Tsai's directional
cross-modal attention; so do we. One difference from the official code: attention has a skip connection (there, the
attention output replaced the residual stream).
"""

from torch import Tensor

from i2moe.fusion.transformer import TokenFusion, TransformerLayer
from i2moe.model.fusion import Fused, Sizes


class MulT(TokenFusion):
    """A dense Transformer over all tokens, with an MLP of width 2H.

    Parameters: L(8H² + 8H) + (MHC + C) + MPH, which reproduces the paper's Table 6 (1,072,131 for ADNI).
    """

    takes_stacked = True

    def __init__(self, sizes: Sizes, *, num_layers: int, num_heads: int) -> None:
        """Build the module.

        Raises:
            ValueError: if `num_heads` does not divide `hidden_dim`.
        """
        layers = (
            TransformerLayer(sizes.hidden_dim, num_heads, 2 * sizes.hidden_dim, sizes.dropout)
            for _ in range(num_layers)
        )
        super().__init__(sizes, layers)

    def transform(self, tokens: Tensor, projected: Tensor, num_views: int) -> Fused:  # noqa: ARG002 (all are alike)
        """Transform all tokens [V·B, N, H] and predict."""
        for index, layer in enumerate(self.layers):
            tokens = layer(tokens, projected if index == 0 else None)
        return self.predict(tokens)
