"""Feature vectors [B, F] → tokens [B, P, H]."""

from torch import Tensor, nn
from torch.nn import functional


class PatchEmbedding(nn.Module):
    """Cut a vector into P chunks of equal length, zero-padded at the end, and map each through one shared Linear."""

    def __init__(self, num_features: int, num_patches: int, hidden_dim: int) -> None:
        super().__init__()
        self.num_patches = num_patches
        self.patch_length = -(-num_features // num_patches)
        self.projection = nn.Linear(self.patch_length, hidden_dim)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [B, F] to tokens [B, P, H]."""
        missing = self.num_patches * self.patch_length - features.shape[1]
        chunks = functional.pad(features, (0, missing)).view(-1, self.num_patches, self.patch_length)
        return self.projection(chunks)  # type: ignore[no-any-return]


def vector_encoder(
    shape: tuple[int, ...], *, encoder: str, encoder_dim: int, num_patches: int, hidden_dim: int, dropout: float
) -> nn.Module:
    """Build `patch`, the patch embedding of the raw vector, or `mlp`, a one-hidden-layer MLP before it (App. F)."""
    (num_features,) = shape
    if encoder == "patch":
        return PatchEmbedding(num_features, num_patches, hidden_dim)
    return nn.Sequential(
        nn.Linear(num_features, encoder_dim),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(encoder_dim, encoder_dim),
        PatchEmbedding(encoder_dim, num_patches, hidden_dim),
    )
