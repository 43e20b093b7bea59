"""InterpretCC: one gate per modality decides, sample by sample, whether the modality is used at all.

After the feature-gating model of Swamy et al. (*InterpretCC*, arXiv 2402.02933, 2024). A modality is the mean of its
tokens (one token per modality makes it the encoder's output, as published). Differences from the official code: noise
is drawn in training only, so that evaluation is deterministic, and it is logistic (the difference of two Gumbels),
which is what makes the relaxed gate a Bernoulli sample; a single Gumbel opens gates too often.
"""

import torch
from torch import Tensor, nn

from i2moe.fusion.dropout import Dropout
from i2moe.fusion.layers import Linear
from i2moe.model.fusion import Fused, Fusion, Sizes


class InterpretCC(Fusion):
    """Gate each modality's vector, concatenate, predict with an MLP.

    Parameters: M(H² + 2H + 1) + (MH² + H) + (H⌊H/2⌋ + ⌊H/2⌋) + (⌊H/2⌋C + C), the official code's (140,679 for ADNI's
    Table 9).
    """

    takes_stacked = True

    def __init__(
        self,
        sizes: Sizes,
        *,
        temperature: float,
        threshold: float,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.threshold = threshold
        self.gates = nn.ModuleList(
            nn.Sequential(Linear(sizes.hidden_dim, sizes.hidden_dim), nn.ReLU(), Linear(sizes.hidden_dim, 1))
            for _ in range(sizes.num_modalities)
        )
        self.hidden = nn.Sequential(
            Linear(sizes.num_modalities * sizes.hidden_dim, sizes.hidden_dim),
            nn.ReLU(),
            Dropout(sizes.dropout),
            Linear(sizes.hidden_dim, sizes.hidden_dim // 2),
            nn.ReLU(),
        )
        self.head = Linear(sizes.hidden_dim // 2, sizes.num_outputs)

    def embed(self, tokens: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Map each modality's tokens [B, P, H] to its vector [B, H] and its gate's logit [B, 1]."""
        vectors = [own.mean(dim=-2) for own in tokens]
        return [(vector, gate(vector)) for vector, gate in zip(vectors, self.gates, strict=True)]

    def fuse(self, embedded: list[tuple[Tensor, Tensor]]) -> Fused:
        """Fuse M vectors [B, H] under their gates' logits [B, 1]."""
        latent = self.hidden(torch.cat([vector * self._gate(logit) for vector, logit in embedded], dim=-1))
        return Fused(self.head(latent), latent)

    def _gate(self, logit: Tensor) -> Tensor:
        """Open (1) or close (0) by the threshold; the gradient is the sigmoid's (straight-through)."""
        if self.training:
            uniform = torch.rand_like(logit).clamp(1e-6, 1 - 1e-6)  # away from infinite noise
            logit = logit + uniform.log() - (-uniform).log1p()
        soft = torch.sigmoid(logit / self.temperature)
        hard = (soft > self.threshold).to(soft.dtype)
        return hard + (soft - soft.detach())
