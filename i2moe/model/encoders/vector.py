"""Feature vectors [B, F] → tokens [B, P, H]."""

from torch import Tensor, nn
from torch.nn import functional

from i2moe.model.whole_batch import whole_of_some

MAXOUT_POOL = 2  # linear maps of which a maxout unit takes the largest
MAXOUT_DROPOUT = 0.3  # whatever a model's dropout
BATCH_NORM_EPS = 1e-4


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


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation that takes its running statistics for a batch of one sample, which has no deviation.

    A batch that several processes share is normalised as a whole.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Normalise features [B, F]."""
        if not self.training:
            return super().forward(features)
        batch, own = whole_of_some(features)
        if len(batch) > 1:
            return super().forward(batch)[own]
        return functional.batch_norm(
            features, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


class Maxout(nn.Module):
    """The largest of several linear maps, unit by unit (Goodfellow et al. 2013)."""

    def __init__(self, num_features: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, width * MAXOUT_POOL)
        self.width = width

    def forward(self, features: Tensor) -> Tensor:
        """Map features [B, F] to [B, width]."""
        return self.linear(features).view(len(features), self.width, MAXOUT_POOL).amax(dim=2)  # type: ignore[no-any-return]


def maxout_mlp(num_features: int, width: int) -> nn.Sequential:
    """Build the MLP of two maxout layers that Arevalo et al. 2017 put on both modalities of MM-IMDb (Appendix F)."""
    return nn.Sequential(
        BatchNorm(num_features, eps=BATCH_NORM_EPS),
        Maxout(num_features, width),
        BatchNorm(width, eps=BATCH_NORM_EPS),
        nn.Dropout(MAXOUT_DROPOUT),
        Maxout(width, width),
        BatchNorm(width, eps=BATCH_NORM_EPS),
        nn.Dropout(MAXOUT_DROPOUT),
    )


def vector_encoder(
    shape: tuple[int, ...], *, encoder: str, encoder_dim: int, num_patches: int, hidden_dim: int, dropout: float
) -> nn.Module:
    """Build `patch`, the patch embedding of the raw vector; `mlp` (one hidden layer) and `maxout` come before it."""
    (num_features,) = shape
    if encoder == "patch":
        return PatchEmbedding(num_features, num_patches, hidden_dim)
    if encoder == "maxout":
        embedding = PatchEmbedding(encoder_dim, num_patches, hidden_dim)
        return nn.Sequential(maxout_mlp(num_features, encoder_dim), embedding)
    return nn.Sequential(
        nn.Linear(num_features, encoder_dim),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(encoder_dim, encoder_dim),
        PatchEmbedding(encoder_dim, num_patches, hidden_dim),
    )
