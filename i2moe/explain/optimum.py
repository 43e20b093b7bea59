"""Whether a role loss is met without the labels: by an expert that tells replaced modalities from intact ones.

The synergy loss asks that the logits turn around when any modality is replaced, the redundancy loss that they stay.
Both are met by an expert that says one thing of all intact samples and, for synergy, the opposite of all others: on
planted data the similarity of its logits with and without a modality reached -1, while they varied by a hundredth over
samples. Such an expert knows nothing of the label, and its role loss says that it plays its role.

Shapes: N samples, E experts, C outputs, V = M + 1 views.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from i2moe.data import Batch, FeatureSet
from i2moe.inference import EVALUATION_BATCH, device_of, mean_tokens, to_device
from i2moe.model.interaction import InteractionMoE
from i2moe.model.losses import ALL, INTERACTION_LOSSES, Shown
from i2moe.model.multimodal import MultimodalModel
from i2moe.model.tokens import Tokens, in_place_of, values_of, with_values

NEAR = 0.05  # of a role loss to its least value
SPREAD = 0.1  # standard deviation of logits over samples that is next to none; for numbers in deviations of the labels
LEAST = {  # of the losses for synergy and redundancy
    "binary": (-1.0, 0.0),
    "multiclass": (-1.0, 0.0),
    "multilabel": (-1.0, 0.0),
    "regression": (0.0, 0.0),
}


@dataclass(frozen=True)
class RoleLoss:
    """The role loss of one expert on a split, and how much its logits vary over the intact samples."""

    expert: str  # synergy | redundancy
    loss: float
    spread: float  # largest over outputs of the standard deviation of logits, less their mean over classes
    is_label_free: bool  # the loss is next to its least value, and the logits next to constant


def role_losses(model: MultimodalModel, features: FeatureSet, split: str, seed: int = 0) -> list[RoleLoss]:
    """Compute the role losses of the synergy and the redundancy expert as in training; none unless published.

    Args:
        model: a trained model.
        features: the dataset.
        split: train | validation | test.
        seed: of the noise, where noise replaces modalities.
    """
    mixture = model.fusion
    if not isinstance(mixture, InteractionMoE) or not mixture.config.loss_weight:
        return []
    if (mixture.config.objective, mixture.config.compare) != ("published", "logits"):
        return []  # other losses have other optima
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        means = mean_tokens(model, features) if mixture.config.replacement == "mean" else []
        views = [
            _views(model, to_device(batch, device_of(model)), means, generator)
            for batch in features.loader(split, EVALUATION_BATCH)
        ]
    outputs = torch.cat(views, dim=2)  # [E, V, N, C]
    losses = INTERACTION_LOSSES[features.task]
    shown = Shown(present=torch.from_numpy(features.presence[features.rows(split)].T).to(outputs.device))
    shown = shown if features.present else ALL
    found = []
    for name, least, compute in zip(
        ("synergy", "redundancy"), LEAST[features.task], (losses.synergy, losses.redundancy), strict=True
    ):
        own = outputs[mixture.expert_names.index(name)]
        loss = compute(own, shown, len(features.modalities)).item()
        centred = own[0] - own[0].mean(dim=1, keepdim=True) if features.task in ("binary", "multiclass") else own[0]
        spread = centred.std(dim=0).max().item()
        found.append(RoleLoss(name, loss, spread, loss <= least + NEAR and spread <= SPREAD))
    return found


def _views(model: MultimodalModel, batch: Batch, means: list[Tensor], generator: torch.Generator) -> Tensor:
    """Return the experts' logits on the intact view and on each without one modality, [E, V, B, C]."""
    tokens, presence = model.tokens(batch), model.presence(batch)
    replacements = [_replacement(model, own, means, index, generator) for index, own in enumerate(tokens)]
    seen = [tokens] + [
        [gone if index == lost else own for index, (own, gone) in enumerate(zip(tokens, replacements, strict=True))]
        for lost in range(len(tokens))
    ]
    logits = [model.predict(one, presence=presence).expert_logits for one in seen]
    return torch.stack([one.transpose(0, 1) for one in logits if one is not None], dim=1)


def _replacement(
    model: MultimodalModel, tokens: Tokens, means: list[Tensor], index: int, generator: torch.Generator
) -> Tokens:
    """Return what training puts in place of a modality, [B, P, H]."""
    match model.fusion.config.replacement:  # type: ignore[union-attr]
        case "random":
            values = values_of(tokens)
            return with_values(tokens, torch.randn(values.shape, generator=generator).to(values))
        case "mean":
            return in_place_of(means[index], tokens)
        case _:
            return with_values(tokens, torch.zeros_like(values_of(tokens)))
