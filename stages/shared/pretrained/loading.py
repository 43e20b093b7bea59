"""Hugging Face encoders from a local folder or the hub: weights are safetensors alone, and no code of theirs is run."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from i2moe.base.errors import InputError, first_line

if TYPE_CHECKING:
    from torch import nn

HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
INPUTS = {"text": "input_ids", "vision": "pixel_values"}


def load_encoder(name: str, kind: Literal["text", "vision"], key: str) -> "tuple[nn.Module, Any]":
    """Load an encoder in float32 with its configuration; of a model of texts and images, such as CLIP, the one part.

    Args:
        name: a local folder, or OWNER/NAME at the hub, whose files are downloaded on first use.
        kind: what it must encode.
        key: of params.yaml, for errors.

    Raises:
        InputError: for what is neither, has no weights as safetensors, or is no encoder of this kind.
    """
    import torch

    model = load_part("AutoModel", name, key, use_safetensors=True, dtype=torch.float32)
    tower: nn.Module = getattr(model, f"{kind}_model", model)
    config: Any = tower.config
    if tower.main_input_name != INPUTS[kind] or config.is_encoder_decoder:
        what = {"text": "texts", "vision": "images"}[kind]
        raise InputError(f"{key}: {name} is a model of type {config.model_type!r}, which is no encoder of {what}")
    return tower.eval().requires_grad_(requires_grad=False), config


def settings_of(config: Any) -> str:  # noqa: ANN401 (transformers is not typed)
    """Return what a configuration says of a model, in a fixed order: with its weights, this decides what it returns."""
    passing = ("_name_or_path", "transformers_version")
    return repr(sorted((name, repr(value)) for name, value in config.to_dict().items() if name not in passing))


def load_part(kind: str, name: str, key: str, **options: object) -> Any:  # noqa: ANN401 (transformers is not typed)
    """Load what a class of transformers, such as AutoTokenizer, finds under a name.

    Arguments as in `load_encoder`; options as the class has them.

    Raises:
        InputError: where transformers is not installed, or finds nothing.
    """
    is_local = _is_local(name, key)
    if options.get("use_safetensors") and is_local and not list(Path(name).glob("*.safetensors")):
        raise InputError(
            f"{key}: {name} holds no *.safetensors, and other files of weights may hold code and are not read: bring "
            "the model's model.safetensors, or write it with save_pretrained"
        )
    try:
        import transformers
    except ImportError as error:
        raise InputError(f"{key} needs the package transformers: pip install 'i2moe[transformers]'") from error
    try:
        load = getattr(transformers, kind).from_pretrained
        return load(name, local_files_only=is_local, trust_remote_code=False, **options)
    except (OSError, ValueError, KeyError) as error:
        where = "the folder" if is_local else "the hub's"
        raise InputError(
            f"{key}: {where} {name} holds no Hugging Face model that {kind} can load ({first_line(error)}): name the "
            "local folder of a model with all of its files"
        ) from error


def _is_local(name: str, key: str) -> bool:
    """Return whether a name is that of a folder, and not of a model at the hub."""
    if Path(name).is_dir():
        return True
    if not HUB_NAME.fullmatch(name):
        raise InputError(f"{key}: there is no folder {name}; allowed: a local folder, or OWNER/NAME of the hub")
    return False
