"""Dense: one Transformer over the tokens of all modalities, however many, with padding.

The expert of FL-I2MoE, and by itself its baseline: `i2moe.fusion.sequence` has the source. The layers are MulT's.
"""

from torch import Tensor

from i2moe.fusion.sequence import SequenceFusion
from i2moe.fusion.transformer import TransformerLayer
from i2moe.model.fusion import Sizes


class Dense(SequenceFusion):
    """A dense Transformer over all tokens, with an MLP of width 2H.

    Parameters: L(8H² + 8H) + (MHC + C), however many tokens there are.
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

    def transform(
        self,
        tokens: Tensor,
        projected: Tensor,
        padding: Tensor | None,
        num_views: int,  # noqa: ARG002 (all are alike)
        maps: list[Tensor] | None,
    ) -> tuple[Tensor, None]:
        """Transform all tokens [V·B, N, H]."""
        for index, layer in enumerate(self.layers):
            tokens = layer(tokens, projected if index == 0 else None, padding, maps)
        return tokens, None
