"""Encoders: one modality's array → tokens [B, P, H]; one file a kind of array."""

from torch import nn

from i2moe.encoders.vector import vector_encoder

ENCODERS = {"vector": vector_encoder}


def build_encoder(
    kind: str,
    shape: tuple[int, ...],
    *,
    encoder: str,
    encoder_dim: int,
    num_patches: int,
    hidden_dim: int,
    dropout: float,
) -> nn.Module:
    """Build the encoder of one modality.

    Args:
        kind: the kind of array, as its feature file says: vector.
        shape: of one sample.
        encoder: `mlp`, or `patch` to cut the raw vector into patches without any encoder before it.
        encoder_dim: width of the encoder before the patch embedding.
        num_patches: P.
        hidden_dim: H.
        dropout: in the encoder.

    Raises:
        ValueError: for a kind of array that has no encoder.
    """
    if kind not in ENCODERS:
        raise ValueError(f"no encoder for arrays of kind {kind!r}; there are encoders for {sorted(ENCODERS)}")
    return ENCODERS[kind](
        shape, encoder=encoder, encoder_dim=encoder_dim, num_patches=num_patches, hidden_dim=hidden_dim, dropout=dropout
    )
