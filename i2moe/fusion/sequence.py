"""The Transformer over sequences of tokens that Dense and GShard share: any number of them, with padding.

After the experts of FL-I2MoE (Kim et al., arXiv 2603.13326), as far as the code of its follow-up (arXiv 2606.29613)
shows them: a pre-norm Transformer encoder over the tokens of all modalities in a row, with a fixed sinusoidal position
code over the row and no code of the modality; then the mean of each modality's own tokens. A modality's place in the
row follows from the most tokens that the ones before it can have, never from a batch.

Shapes: B samples, M modalities, H hidden_dim, C outputs, N tokens of all modalities; see `i2moe.fusion.layers` for E
experts at once.
"""

import math
from abc import abstractmethod
from collections.abc import Iterable
from itertools import accumulate

import torch
from torch import Tensor, nn

from i2moe.fusion.layers import Linear
from i2moe.model.fusion import AttentionFusion, Fused, Sizes
from i2moe.model.tokens import Padded, Tokens, mean_of, values_of

LONGEST_WAVE = 10_000  # of Vaswani et al. (*Attention Is All You Need*, NeurIPS 2017), section 3.5


def sinusoids(length: int, width: int) -> Tensor:
    """Return the position code [length, width]: sine in even columns, cosine in odd ones (Vaswani et al. 2017).

    Examples:
        >>> sinusoids(2, 3).double().numpy().round(4).tolist()  # sin 1, cos 1, sin(1 / 10000^(2/3))
        [[0.0, 1.0, 0.0], [0.8415, 0.5403, 0.0022]]
    """
    column = torch.arange(width)
    rate = torch.exp(-math.log(LONGEST_WAVE) * (column - column % 2) / width)
    angle = torch.arange(length).unsqueeze(1) * rate
    return torch.where(column % 2 == 0, angle.sin(), angle.cos())


class SequenceFusion(AttentionFusion):
    """Put all tokens in a row, add the position code, transform, average each modality, predict linearly.

    Subclasses define the layers, of which the first has an `attention`, and run them in `transform`.
    """

    position: Tensor

    def __init__(self, sizes: Sizes, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        *self.starts, length = accumulate(sizes.token_counts, initial=0)  # places of the modalities in the row
        self.register_buffer("position", sinusoids(length, sizes.hidden_dim))
        self.layers = nn.ModuleList(layers)
        self.head = Linear(sizes.num_modalities * sizes.hidden_dim, sizes.num_outputs)

    @abstractmethod
    def transform(
        self,
        tokens: Tensor,
        projected: Tensor,
        padding: Tensor | None,
        num_views: int,
        maps: list[Tensor] | None,
    ) -> tuple[Tensor, Tensor | None]:
        """Run the layers.

        Args:
            tokens: [V·B, N, H] of V views.
            projected: what the first attention's `project` makes of them, [V·B, N, 3H].
            padding: [V·B, N], True where there is no token; None: nowhere.
            num_views: V.
            maps: a list to which the attention of each layer is appended.

        Returns:
            The tokens, and the balance loss of a sparse method.
        """

    def embed(self, tokens: list[Tokens]) -> list[tuple[Tensor, ...]]:
        """Place and project each modality's tokens: [B, ·, H], [B, ·, 3H] and, if any are padded, padding [B, ·]."""
        values = [values_of(own) for own in tokens]
        counts = [own.shape[-2] for own in values]
        starts = zip(self.starts, counts, strict=True)
        places = torch.cat([self.position.narrow(-2, *place) for place in starts], dim=-2)
        placed = torch.cat(values, dim=-2) + places.unsqueeze(-3)
        projected = self.layers[0].attention.project(placed)  # type: ignore[union-attr, operator]
        parts = [torch.split(placed, counts, dim=-2), torch.split(projected, counts, dim=-2)]
        if any(isinstance(own, Padded) for own in tokens):
            parts.append(tuple(_padding_of(own) for own in tokens))
        return list(zip(*parts, strict=True))

    def fuse(self, embedded: list[tuple[Tensor, ...]]) -> Fused:
        """Fuse the M modalities, embedded."""
        return self.fuse_views(embedded, 1)

    def fuse_views(self, embedded: list[tuple[Tensor, ...]], num_views: int) -> Fused:
        """Do the same for V views; a sparse method gives each of them the capacity that it would have alone."""
        return self._fuse(embedded, num_views, None)

    def with_attention(self, tokens: list[Tokens]) -> tuple[Fused, list[Tensor]]:
        """Fuse, and return each layer's attention [B, heads, N, N], before dropout."""
        maps: list[Tensor] = []
        return self._fuse(self.embed(tokens), 1, maps), maps

    def _fuse(self, embedded: list[tuple[Tensor, ...]], num_views: int, maps: list[Tensor] | None) -> Fused:
        placed, projected, *masks = zip(*embedded, strict=True)
        padding = torch.cat(masks[0], dim=-1) if masks else None
        rows, balance_loss = self.transform(
            torch.cat(placed, dim=-2), torch.cat(projected, dim=-2), padding, num_views, maps
        )
        own = torch.split(rows, [each.shape[-2] for each in placed], dim=-2)
        modalities = [Padded(*pair) for pair in zip(own, masks[0], strict=True)] if masks else own
        latent = torch.cat([mean_of(modality) for modality in modalities], dim=-1)
        return Fused(self.head(latent), latent, balance_loss)


def _padding_of(tokens: Tokens) -> Tensor:
    if isinstance(tokens, Padded):
        return tokens.padding
    return torch.zeros(tokens.shape[:-1], dtype=torch.bool, device=tokens.device)
