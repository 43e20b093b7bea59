"""What the encoders of a model make of samples: one vector for each modality, the mean of its tokens."""

import numpy as np
import torch
from numpy.typing import NDArray

from i2moe.data import FeatureSet
from i2moe.inference import EVALUATION_BATCH, device_of, to_device
from i2moe.model.multimodal import MultimodalModel


def mean_latents(model: MultimodalModel, features: FeatureSet, split: str) -> list[NDArray[np.float32]]:
    """Return the mean over tokens of every sample of a split, [N, H] for each of the M modalities."""
    parts: list[list[torch.Tensor]] = [[] for _ in features.modalities]
    with torch.inference_mode():
        for batch in features.loader(split, EVALUATION_BATCH):
            for own, tokens in zip(parts, model.tokens(to_device(batch, device_of(model))), strict=True):
                own.append(tokens.mean(dim=1))
    return [torch.cat(own).float().cpu().numpy() for own in parts]
