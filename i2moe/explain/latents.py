"""What the encoders of a model make of samples, one vector for each modality; and what its experts do."""

import numpy as np
import torch
from numpy.typing import NDArray

from i2moe.data import FeatureSet
from i2moe.inference import EVALUATION_BATCH, device_of, to_device
from i2moe.model.interaction import InteractionMoE
from i2moe.model.multimodal import MultimodalModel
from i2moe.model.tokens import mean_of


def mean_latents(model: MultimodalModel, features: FeatureSet, split: str) -> list[NDArray[np.float32]]:
    """Return the mean over tokens of every sample of a split, [N, H] for each of the M modalities."""
    parts: list[list[torch.Tensor]] = [[] for _ in features.modalities]
    with torch.inference_mode():
        for batch in features.loader(split, EVALUATION_BATCH):
            for own, tokens in zip(parts, model.tokens(to_device(batch, device_of(model))), strict=True):
                own.append(mean_of(tokens))
    return [torch.cat(own).float().cpu().numpy() for own in parts]


def expert_latents(model: MultimodalModel, features: FeatureSet, split: str) -> NDArray[np.float32] | None:
    """Return what the heads of an I2MoE's experts see of every sample of a split, [E, N, D].

    None for another model, and where the fusion method does not return its latent.
    """
    if not isinstance(model.fusion, InteractionMoE):
        return None
    parts = []
    with torch.inference_mode():
        for batch in features.loader(split, EVALUATION_BATCH):
            latent = model.fusion.experts(model.tokens(to_device(batch, device_of(model)))).latent
            if latent is None:
                return None
            parts.append(latent)
    return torch.cat(parts, dim=1).float().cpu().numpy()
