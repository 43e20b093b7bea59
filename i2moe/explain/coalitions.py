"""What the whole model and each of its experts predict when they see only some modalities.

Absent modalities are replaced after the encoder, in one of three ways: by their mean tokens over the train split
(`mean`), by the tokens of another sample, drawn from the train split and the same for all absent modalities
(`sample`), or by zeros (`zero`). On data with planted interactions the mean finds them best: the tokens of another
sample contradict a copy that is left, and zeros may lie far from all that the model has seen. Tokens with padding keep
it under `mean` and `zero`, so that the model still sees how many there were. A modality that a sample lacks cannot be
taken from it: its learned token stays in every subset.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2moe.data import Batch, FeatureSet
from i2moe.explain.subsets import subsets
from i2moe.inference import EVALUATION_BATCH, device_of, mean_tokens, to_device
from i2moe.model.interaction import Prediction
from i2moe.model.multimodal import MultimodalModel
from i2moe.model.tokens import Tokens, in_place_of, num_samples, of_modality, values_of, where_present, with_values

REPLACEMENTS = ("mean", "sample", "zero")


@dataclass(frozen=True)
class CoalitionLogits:
    """What a model predicts for N samples with each of the K = 2^M subsets of modalities intact.

    Subsets are in the order of `i2moe.explain.subsets`. For regression, logits are in the label's units.
    """

    whole: NDArray[np.floating]  # of the model, [K, N, C]
    experts: NDArray[np.floating] | None  # of its experts, [K, N, E, C]; None without experts


def coalition_names(modalities: list[str]) -> list[str]:
    """Name all subsets of the modalities, from none to all.

    Examples:
        >>> coalition_names(["plot", "poster"])
        ['none', 'plot', 'poster', 'plot + poster']
    """
    members = subsets(len(modalities))
    return [" + ".join(np.array(modalities, object)[inside]) or "none" for inside in members]


def coalition_logits(
    model: MultimodalModel, features: FeatureSet, split: str, replacements: tuple[str, ...] = ("mean",), seed: int = 0
) -> dict[str, CoalitionLogits]:
    """Predict a split with every subset of modalities left intact, by replacement of the others.

    That takes 2^M - 1 passes for each replacement, and one with all modalities intact.

    Args:
        model: a trained model.
        features: the dataset.
        split: train | validation | test.
        replacements: of REPLACEMENTS.
        seed: of the drawing of other samples.
    """
    members = subsets(len(features.modalities))
    generator = np.random.default_rng(seed)
    parts: dict[str, list[list[Prediction]]] = {name: [[] for _ in members] for name in replacements}
    with torch.inference_mode():
        means = mean_tokens(model, features) if "mean" in replacements else []
        for batch in features.loader(split, EVALUATION_BATCH):
            moved = to_device(batch, device_of(model))
            tokens, presence = model.tokens(moved), model.presence(moved)
            intact = model.predict(tokens, presence=presence)
            for name, own in parts.items():
                absent = [
                    where_present(gone, own_tokens, of_modality(presence, index))
                    for index, (gone, own_tokens) in enumerate(
                        zip(_absent(name, model, features, tokens, means, generator), tokens, strict=True)
                    )
                ]
                own[-1].append(intact)
                for inside, predicted in zip(members[:-1], own, strict=False):
                    predicted.append(model.predict(_seen(inside, tokens, absent), presence=presence))
    return {name: _together(own, features) for name, own in parts.items()}


def subset_predictions(model: MultimodalModel, batches: Iterable[Batch], means: list[Tensor]) -> list[list[Prediction]]:
    """Predict batches with every subset of modalities left intact and the others at their mean tokens [1, P, H].

    Returns:
        For each of the K subsets the predictions of all batches.
    """
    members = subsets(len(model.modalities))
    found: list[list[Prediction]] = [[] for _ in members]
    with torch.inference_mode():
        for batch in batches:
            moved = to_device(batch, device_of(model))
            tokens, presence = model.tokens(moved), model.presence(moved)
            absent = [
                where_present(in_place_of(mean, own), own, of_modality(presence, index))
                for index, (mean, own) in enumerate(zip(means, tokens, strict=True))
            ]
            for inside, predicted in zip(members, found, strict=True):
                predicted.append(model.predict(_seen(inside, tokens, absent), presence=presence))
    return found


def _seen(inside: NDArray[np.bool_], tokens: list[Tokens], absent: list[Tokens]) -> list[Tokens]:
    return [own if kept else gone for kept, own, gone in zip(inside, tokens, absent, strict=True)]


def _absent(
    replacement: str,
    model: MultimodalModel,
    features: FeatureSet,
    tokens: list[Tokens],
    means: list[Tensor],
    generator: np.random.Generator,
) -> list[Tokens]:
    """Return what stands in for each modality of a batch, [B, P, H] each."""
    if replacement == "zero":
        return [with_values(own, torch.zeros_like(values_of(own))) for own in tokens]
    if replacement == "mean":
        return [in_place_of(mean, own) for mean, own in zip(means, tokens, strict=True)]
    donors = generator.choice(features.rows("train"), size=num_samples(tokens[0]))
    return model.tokens(to_device(features.__getitems__(donors.tolist()), device_of(model)))


def _together(parts: list[list[Prediction]], features: FeatureSet) -> CoalitionLogits:
    """Join the batches of all subsets, and return logits in the label's units."""
    mean, std = features.label_scale

    def join(tensors: list[list[Tensor]]) -> NDArray[np.floating]:
        values: NDArray[np.floating] = torch.stack([torch.cat(own) for own in tensors]).float().cpu().numpy()
        return values * std + mean

    experts = [[one.expert_logits for one in own if one.expert_logits is not None] for own in parts]
    whole = join([[one.logits for one in own] for own in parts])
    return CoalitionLogits(whole, join(experts) if experts[0] else None)
