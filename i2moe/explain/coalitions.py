"""What the whole model does when it sees only some modalities: the reading that finds planted interactions.

Absent modalities are replaced by their mean tokens over the train split, after the encoder.
"""

from itertools import chain, combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2moe.data import FeatureSet
from i2moe.inference import EVALUATION_BATCH, device_of, label_scale, mean_tokens, to_device
from i2moe.model.multimodal import MultimodalModel

Coalition = tuple[str, ...]


def coalitions(modalities: list[str]) -> list[Coalition]:
    """Return all subsets of the modalities, from none to all.

    Examples:
        >>> coalitions(["plot", "poster"])
        [(), ('plot',), ('poster',), ('plot', 'poster')]
    """
    return list(chain.from_iterable(combinations(modalities, size) for size in range(len(modalities) + 1)))


def coalition_logits(model: MultimodalModel, features: FeatureSet, split: str) -> dict[Coalition, NDArray[np.floating]]:
    """Return the model's logits [N, C] on a split for every subset of modalities left intact (2^M passes)."""
    mean, std = label_scale(features)
    parts: dict[Coalition, list[Tensor]] = {kept: [] for kept in coalitions(features.modalities)}
    with torch.inference_mode():
        absent = mean_tokens(model, features)
        for batch in features.loader(split, EVALUATION_BATCH):
            tokens = model.tokens(to_device(batch, device_of(model)))
            for kept, logits in parts.items():
                seen = [
                    own if name in kept else replacement.expand_as(own)
                    for name, own, replacement in zip(features.modalities, tokens, absent, strict=True)
                ]
                logits.append(model.predict(seen).logits)
    return {kept: torch.cat(logits).float().cpu().numpy() * std + mean for kept, logits in parts.items()}
