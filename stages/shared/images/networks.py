"""Torchvision's networks, frozen: with trained weights by name or file, or with random ones."""

import hashlib
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, Literal

from i2moe.base.errors import InputError, first_line
from stages.shared.images.images import Extractor, Item

if TYPE_CHECKING:
    from PIL import Image
    from torch import nn

UNTRAINED = "none"
SIDE = 224  # pixels of the square that they see
# VGG-16 on photographs, posters and the like
NUM_FEATURES = 4096
MAP = (512, 7, 7)  # of its last convolution, after ReLU and pooling
LAST = 5  # modules of its classifier: Linear, ReLU, Dropout, Linear, ReLU


def build_network(architecture: str, weights: str, seed: int, key: str) -> "nn.Module":
    """Build a network of torchvision's with trained or with random weights.

    Args:
        architecture: torchvision's name, such as vgg11.
        weights: `none`, a name of torchvision's (downloaded on first use), or a local file of a state dict.
        seed: of random weights.
        key: of params.yaml, for errors.

    Raises:
        InputError: when the weights are none of these, cannot be downloaded, or are not of this network.
    """
    import torch
    from torchvision import models

    if weights == UNTRAINED:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network: nn.Module = models.get_model(architecture, weights=None)
        return network
    named = models.get_model_weights(architecture)
    if weights in named.__members__:
        network = models.get_model(architecture, weights=None, init_weights=False)
        _load_named(network, named[weights], key)
        return network
    if not Path(weights).is_file():
        names = ", ".join(named.__members__)
        raise InputError(f"{key}: {weights!r} is not a file; allowed: none, {names}, or a local file of weights")
    network = models.get_model(architecture, weights=None, init_weights=False)
    problem = f"{key}: {weights} is not a state dict of torchvision's {architecture}"
    _load_state(network, weights, problem, f"name its file, such as that of {next(iter(named)).url}")
    return network


def _load_named(network: "nn.Module", weights: Any, key: str) -> None:  # noqa: ANN401 (torchvision is not typed)
    """Load weights of torchvision's, downloaded on first use, checked by their hash, and tensors only."""
    try:
        network.load_state_dict(weights.get_state_dict(progress=True, check_hash=True, weights_only=True))
    except (OSError, RuntimeError, UnpicklingError) as error:  # no connection; a download cut short
        raise InputError(
            f"{key}: torchvision cannot download {weights} ({first_line(error)}): bring {weights.url} to this machine "
            "and name the file"
        ) from error


def _load_state(network: "nn.Module", path: str, problem: str, remedy: str) -> None:
    """Load a local file of weights, which may hold tensors and nothing that could be executed."""
    import torch

    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch names many kinds of broken file
        raise InputError(f"{problem} ({first_line(error)}): {remedy}") from error


def fingerprint(network: "nn.Module", *more: object) -> str:
    """Hash a network's weights and whatever else decides on its features."""
    digest = hashlib.blake2b(repr(more).encode(), digest_size=12)
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.contiguous().cpu().numpy())
    return digest.hexdigest()


def untrained_note(weights: str, network: str, seed: int) -> str | None:
    """Return what a reader must know of features by random weights; None for trained ones."""
    return f"untrained image features ({network} with random weights, seed {seed})" if weights == UNTRAINED else None


def vgg16_extractor(
    weights: str, seed: int, batch_size: int, *, layer: Literal["classifier", "convolution"], key: str, remedy: str
) -> Extractor:
    """Build VGG-16 up to a layer, on the largest square in the middle of an image.

    Args:
        weights: `none`, a name of torchvision's, or a local file of a state dict.
        seed: of random weights.
        batch_size: images.
        layer: classifier, the second layer of 4096 after ReLU; or convolution, the last map after ReLU and pooling.
        key: of params.yaml that names the weights, for errors.
        remedy: for a file that cannot be decoded.

    Raises:
        InputError: as `build_network`.
    """
    vgg = build_network("vgg16", weights, seed, key)
    is_map = layer == "convolution"
    network = vgg.get_submodule("features") if is_map else up_to_4096(vgg)
    words = "last convolution" if is_map else f"second layer of {NUM_FEATURES} after ReLU"
    return Extractor(
        network=network,
        prepare=prepare,
        width=SIDE,
        height=SIDE,
        shape=MAP if is_map else (NUM_FEATURES,),
        batch_size=batch_size,
        name=f"VGG-16 with weights {weights}, {words}",
        key=f"vgg16-{fingerprint(network, 'fit', SIDE)}",
        remedy=remedy,
        note=untrained_note(weights, "VGG-16", seed),
    )


VECTORS = ("vgg11", "vgg16", "resnet18", "resnet34", "resnet50")  # networks of which `vector_extractor` knows the head


def vector_extractor(
    architecture: str, weights: str, seed: int, batch_size: int, *, key: str, remedy: str
) -> Extractor:
    """Build a network up to its last layer but one, on the largest square in the middle of an image: a vector.

    Args:
        architecture: of VECTORS.
        weights: `none`, a name of torchvision's, or a local file of a state dict.
        seed: of random weights.
        batch_size: images.
        key: of params.yaml that names the weights, for errors.
        remedy: for a file that cannot be decoded.

    Raises:
        InputError: as `build_network`.
    """
    from torch import nn

    whole = build_network(architecture, weights, seed, key)
    if architecture.startswith("vgg"):
        network, num_features = up_to_4096(whole), NUM_FEATURES
    else:
        num_features = int(whole.get_submodule("fc").in_features)  # type: ignore[arg-type]
        network = nn.Sequential(*list(whole.children())[:-1], nn.Flatten())
    return Extractor(
        network=network,
        prepare=prepare,
        width=SIDE,
        height=SIDE,
        shape=(num_features,),
        batch_size=batch_size,
        name=f"{architecture} with weights {weights}, last layer but one",
        key=f"{architecture}-{fingerprint(network, 'fit', SIDE)}",
        remedy=remedy,
        note=untrained_note(weights, architecture, seed),
    )


def up_to_4096(vgg: "nn.Module") -> "nn.Module":
    """Return a VGG up to its second layer of 4096 and the ReLU after it."""
    from torch import nn

    classifier = list(vgg.get_submodule("classifier").children())
    return nn.Sequential(vgg.get_submodule("features"), vgg.get_submodule("avgpool"), nn.Flatten(), *classifier[:LAST])


def prepare(image: "Image.Image", item: Item) -> "Image.Image":  # noqa: ARG001 (nothing is augmented)
    """Cut the largest square from an image's middle, and resize it."""
    from PIL import Image, ImageOps

    return ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.BILINEAR)
