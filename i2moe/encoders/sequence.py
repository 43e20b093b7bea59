"""Feature sequences [B, T, F] with lengths [B], padded at the end → tokens [B, P, H]."""

from torch import Tensor, nn

from i2moe.encoders.vector import PatchEmbedding


def last_step(steps: Tensor, lengths: Tensor) -> Tensor:
    """Return each sequence's last real step [B, D] of steps [B, T, D]."""
    index = (lengths - 1).view(-1, 1, 1).expand(-1, 1, steps.shape[2])
    return steps.gather(1, index).squeeze(1)


class LSTMEncoder(nn.Module):
    """One-layer LSTM, then its state after the last real step (Appendix F), then patch embedding.

    An LSTM looks back only, so padding at the end cannot reach that state: no packing is needed, which would
    synchronise a GPU with the CPU at every batch.
    """

    def __init__(self, num_features: int, encoder_dim: int, num_patches: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(num_features, encoder_dim, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.embedding = PatchEmbedding(encoder_dim, num_patches, hidden_dim)

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Map steps [B, T, F] with lengths [B], each from 1 to T, to tokens [B, P, H]."""
        states, _ = self.lstm(steps)
        return self.embedding(self.dropout(last_step(states, lengths)))  # type: ignore[no-any-return]


class LastStepPatches(nn.Module):
    """Patch embedding of the last real step alone."""

    def __init__(self, num_features: int, num_patches: int, hidden_dim: int) -> None:
        super().__init__()
        self.embedding = PatchEmbedding(num_features, num_patches, hidden_dim)

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Map steps [B, T, F] with lengths [B] to tokens [B, P, H]."""
        return self.embedding(last_step(steps, lengths))  # type: ignore[no-any-return]


def sequence_encoder(
    shape: tuple[int, ...], *, encoder: str, encoder_dim: int, num_patches: int, hidden_dim: int, dropout: float
) -> nn.Module:
    """Build `lstm` over the steps, or `patch` for the patch embedding of the last step."""
    _, num_features = shape
    if encoder == "patch":
        return LastStepPatches(num_features, num_patches, hidden_dim)
    return LSTMEncoder(num_features, encoder_dim, num_patches, hidden_dim, dropout)
