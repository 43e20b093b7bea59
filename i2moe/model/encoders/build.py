"""Which encoder takes which kind of array, and how it is built."""

from math import prod

from torch import nn

from i2moe.base.errors import InputError
from i2moe.model.encoders.image import image_encoder
from i2moe.model.encoders.sequence import sequence_encoder
from i2moe.model.encoders.token import FeatureTokens, PositionTokens, StepTokens, group_sizes
from i2moe.model.encoders.vector import vector_encoder
from i2moe.model.encoders.volume import volume_encoder

ENCODERS = {
    "vector": vector_encoder,
    "sequence": sequence_encoder,
    "volume": volume_encoder,
    "image": image_encoder,
}
CHOICES = {
    "vector": ("mlp", "maxout", "patch", "token"),
    "sequence": ("lstm", "gru", "patch", "token"),
    "volume": ("mlp", "patch", "token"),
    "image": ("mlp", "patch", "token"),
}

# What takes a kind of array that the chosen encoder does not take, where it takes another modality's.
INSTEAD = {"vector": "mlp", "sequence": "gru", "volume": "mlp", "image": "mlp"}


def encoders_for(kinds: dict[str, str], encoder: str) -> dict[str, str]:
    """Return the encoder of each modality: the chosen one, or for kinds that it does not take, `INSTEAD`.

    Raises:
        InputError: for an encoder that takes no modality's kind of array.

    Examples:
        >>> encoders_for({"lab": "vector", "heart": "sequence"}, "mlp")
        {'lab': 'mlp', 'heart': 'gru'}
    """
    taken = {name: encoder in CHOICES.get(kind, ()) for name, kind in kinds.items()}
    if not any(taken.values()):
        kind = next(iter(kinds.values()))
        raise InputError(
            f"encoder {encoder!r} does not take arrays of kind {kind}; allowed: {', '.join(CHOICES.get(kind, ()))}"
        )
    return {name: encoder if taken[name] else INSTEAD[kind] for name, kind in kinds.items()}


def build_encoder(
    kind: str,
    shape: tuple[int, ...],
    *,
    encoder: str,
    encoder_dim: int,
    num_patches: int,
    hidden_dim: int,
    dropout: float,
    vector_tokens: int,
) -> nn.Module:
    """Build the encoder of one modality.

    Args:
        kind: the kind of array, as its feature file states: vector | sequence | volume | image.
        shape: of one sample.
        encoder: `mlp` or `maxout` for vectors, `lstm` or `gru` for sequences; or `patch` to cut the raw vector (a
            sequence's last step) into patches without any encoder before it; or `token` for a token of each feature,
            step or position. Volumes always go through the 3D-CNN, and an image's frozen features through one Linear
            with `mlp` and `patch` alike.
        encoder_dim: width of the encoder before the patch embedding.
        num_patches: P.
        hidden_dim: H.
        dropout: in the encoder.
        vector_tokens: with `token`, into how many tokens a vector goes at most.

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
    if encoder == "token" and kind != "volume":
        return _token_encoder(kind, shape, hidden_dim, vector_tokens)
    return ENCODERS[kind](
        shape, encoder=encoder, encoder_dim=encoder_dim, num_patches=num_patches, hidden_dim=hidden_dim, dropout=dropout
    )


def _token_encoder(kind: str, shape: tuple[int, ...], hidden_dim: int, vector_tokens: int) -> nn.Module:
    match kind:
        case "vector":
            return FeatureTokens(shape[0], vector_tokens, hidden_dim)
        case "sequence":
            return StepTokens(shape[1], hidden_dim)
        case _:
            return PositionTokens(shape[0], hidden_dim)


def count_tokens(kind: str, shape: tuple[int, ...], *, encoder: str, num_patches: int, vector_tokens: int) -> int:
    """Return how many tokens an encoder makes of a sample, padding included; arguments as in `build_encoder`."""
    if encoder != "token" or kind == "volume":
        return num_patches
    return {"vector": group_sizes(shape[0], vector_tokens)[0], "sequence": shape[0]}.get(kind, prod(shape[1:]))


def is_padded(kind: str, encoder: str) -> bool:
    """Return whether an encoder's tokens are `Padded`."""
    return encoder == "token" and kind == "sequence"
