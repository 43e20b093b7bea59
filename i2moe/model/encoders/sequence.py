"""Feature sequences [B, T, F] with lengths [B], padded at the end → tokens [B, P, H]."""

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from i2moe.model.encoders.vector import PatchEmbedding


def last_step(steps: Tensor, lengths: Tensor) -> Tensor:
    """Return each sequence's last real step [B, D] of steps [B, T, D]."""
    index = (lengths - 1).view(-1, 1, 1).expand(-1, 1, steps.shape[2])
    return steps.gather(1, index).squeeze(1)


class RecurrentEncoder(nn.Module):
    """One-layer LSTM or GRU, then its state after the last real step (Appendix F), then patch embedding.

    Both look back only, so padding at the end cannot reach that state. On a CPU the sequences are packed, which
    halves the work where most are short; elsewhere they are not, since packing makes the device wait for the CPU at
    every batch.
    """

    def __init__(self, cells: nn.LSTM | nn.GRU, num_patches: int, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.cells = cells
        self.dropout = nn.Dropout(dropout)
        self.embedding = PatchEmbedding(cells.hidden_size, num_patches, hidden_dim)

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Map steps [B, T, F] with lengths [B], each from 1 to T, to tokens [B, P, H]."""
        state = self.packed_state(steps, lengths) if steps.device.type == "cpu" else self.padded_state(steps, lengths)
        return self.embedding(self.dropout(state))  # type: ignore[no-any-return]

    def packed_state(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Return the last real states [B, D], computing real steps only; lengths are on the CPU."""
        packed = pack_padded_sequence(steps, lengths, batch_first=True, enforce_sorted=False)
        _, state = self.cells(packed)
        hidden = state[0] if isinstance(self.cells, nn.LSTM) else state  # an LSTM has a cell state too
        return hidden[-1]  # type: ignore[no-any-return]

    def padded_state(self, steps: Tensor, lengths: Tensor) -> Tensor:
        """Return the last real states [B, D], computing all steps; nothing leaves the device."""
        states, _ = self.cells(steps)
        return last_step(states, lengths)


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
    """Build `lstm` or `gru` over the steps, or `patch` for the patch embedding of the last step."""
    _, num_features = shape
    if encoder == "patch":
        return LastStepPatches(num_features, num_patches, hidden_dim)
    kind = nn.LSTM if encoder == "lstm" else nn.GRU
    return RecurrentEncoder(kind(num_features, encoder_dim, batch_first=True), num_patches, hidden_dim, dropout)
