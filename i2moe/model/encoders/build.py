"""Which encoder takes which kind of array, and how it is built."""

from torch import nn

from i2moe.base.errors import InputError
from i2moe.model.encoders.image import image_encoder
from i2moe.model.encoders.sequence import sequence_encoder
from i2moe.model.encoders.vector import vector_encoder
from i2moe.model.encoders.volume import volume_encoder

ENCODERS = {
    "vector": vector_encoder,
    "sequence": sequence_encoder,
    "volume": volume_encoder,
    "image": image_encoder,
}
CHOICES = {
    "vector": ("mlp", "maxout", "patch"),
    "sequence": ("lstm", "gru", "patch"),
    "volume": ("mlp", "patch"),
    "image": ("mlp", "patch"),
}


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
        kind: the kind of array, as its feature file states: vector | sequence | volume | image.
        shape: of one sample.
        encoder: `mlp` or `maxout` for vectors, `lstm` or `gru` for sequences; or `patch` to cut the raw vector (a
            sequence's last step) into patches without any encoder before it. Volumes go through the 3D-CNN and an
            image's frozen features through one Linear, with `mlp` and `patch` alike.
        encoder_dim: width of the encoder before the patch embedding.
        num_patches: P.
        hidden_dim: H.
        dropout: in the encoder.

    Raises:
        ValueError: for a kind of array that has no encoder.
        InputError: for an encoder that does not take this kind of array.
    """
    if kind not in ENCODERS:
        raise ValueError(f"no encoder for arrays of kind {kind!r}; there are encoders for {sorted(ENCODERS)}")
    if encoder not in CHOICES[kind]:
        raise InputError(
            f"encoder {encoder!r} does not take arrays of kind {kind}; allowed: {', '.join(CHOICES[kind])}"
        )
    return ENCODERS[kind](
        shape, encoder=encoder, encoder_dim=encoder_dim, num_patches=num_patches, hidden_dim=hidden_dim, dropout=dropout
    )
