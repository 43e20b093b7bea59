"""Late fusion: every modality has its own model, and only their decisions meet.

After Baltrušaitis et al. (*Multimodal Machine Learning: A Survey and Taxonomy*, TPAMI 2019, section 6.1), who leave
models and combination open. Here each modality has a Transformer over its own tokens and a linear head, and the logits
are averaged. The official code's LF is not late fusion: it mixes all modalities' numbers as one sequence of M·P·H
scalars, at a cost quadratic in their number; we do not build that, and our parameter count differs from it.

As a sum of functions of one modality each, it cannot represent an interaction in its logits: on an XOR of two
modalities it stays at chance, by construction.
"""

import torch
from torch import Tensor, nn

from i2moe.fusion.layers import Linear
from i2moe.fusion.transformer import TransformerLayer
from i2moe.model.fusion import Fused, Fusion, Sizes


class LateFusion(Fusion):
    """One Transformer and one head per modality; logits are averaged.

    Parameters: M(L(8H² + 8H) + PH + HC + C).
    """

    takes_stacked = True

    def __init__(self, sizes: Sizes, *, num_layers: int, num_heads: int) -> None:
        """Build the module.

        Raises:
            ValueError: if `num_heads` does not divide `hidden_dim`.
        """
        super().__init__()
        self.position = nn.Parameter(torch.zeros(sizes.num_modalities, sizes.num_patches, sizes.hidden_dim))
        self.models = nn.ModuleList(
            nn.Sequential(
                *(
                    TransformerLayer(sizes.hidden_dim, num_heads, 2 * sizes.hidden_dim, sizes.dropout)
                    for _ in range(num_layers)
                )
            )
            for _ in range(sizes.num_modalities)
        )
        self.heads = nn.ModuleList(Linear(sizes.hidden_dim, sizes.num_outputs) for _ in range(sizes.num_modalities))

    def fuse(self, embedded: list[Tensor]) -> Fused:
        """Fuse M token tensors [B, P, H]."""
        latents = [
            model(tokens + position.unsqueeze(-3)).mean(dim=-2)
            for model, tokens, position in zip(self.models, embedded, self.position.unbind(-3), strict=True)
        ]
        decisions = [head(latent) for head, latent in zip(self.heads, latents, strict=True)]
        return Fused(torch.stack(decisions).mean(dim=0), torch.cat(latents, dim=-1))
