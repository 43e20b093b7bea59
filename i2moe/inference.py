"""Apply a trained model, without the training loop, whose library takes seconds to import."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2moe.base.errors import InputError, first_line
from i2moe.contract.unpacking import check_members
from i2moe.data import Batch, FeatureSet, SampleSet
from i2moe.model.config import ModelConfig
from i2moe.model.multimodal import MultimodalModel, build_model
from i2moe.model.pruning import parts_to_keep
from i2moe.model.sealed import Said, SealedMixture
from i2moe.model.tokens import of_modality, sum_over_samples
from i2moe.signature import Signature

EVALUATION_BATCH = 256


def build_for(features: FeatureSet | Signature, config: ModelConfig) -> MultimodalModel:
    """Build the model for a dataset, on PyTorch's current random state; from a signature, one that is to be loaded."""
    model = build_model(
        config,
        kinds=features.kinds,
        shapes=features.shapes,
        task=features.task,
        num_outputs=features.num_outputs,
        may_be_absent=features.may_be_absent,
    )
    if isinstance(model.fusion, SealedMixture) and isinstance(features, FeatureSet):
        model.fusion.fit_constant(scaled_labels(features, "train"))
    return model


def load(features: FeatureSet | Signature, config: ModelConfig, weights: Path, device: torch.device) -> MultimodalModel:
    """Build the model with saved weights, on the device and in evaluation mode.

    Raises:
        InputError: for a file of weights that is missing, broken, or of another model.
    """
    model = build_for(features, config)
    fill(model, weights)
    return model.to(device).eval()


def fill(model: MultimodalModel, weights: Path) -> None:
    """Give a model saved weights.

    Raises:
        InputError: for a file that is missing, broken, or of another model.
    """
    try:
        model.load_state_dict(read_tensors(weights))
    except (RuntimeError, TypeError, AttributeError) as error:  # other names or shapes, or no tensors
        raise InputError(f"{weights} does not hold the weights of the model that is described: train again") from error


def read_tensors(path: Path) -> dict[str, Any]:
    """Read what PyTorch saved, without running any code that it may hold.

    Raises:
        InputError: for a file that is missing, broken, unpacks to far more than it has, or holds no dictionary.
    """
    try:
        check_members(path)  # PyTorch writes them unpacked, and reads packed ones too
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: train again") from error
    except InputError:
        raise
    except Exception as error:  # torch names many kinds of broken or foreign file
        raise InputError(f"{path} is not a readable file of PyTorch ({first_line(error)}): train again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} does not hold what a training saves: train again")
    return content


def choose_device(accelerator: str) -> torch.device:
    """Return the device to apply a model on, by the name of one of Lightning's accelerators.

    Args:
        accelerator: cpu, gpu, cuda or mps; auto takes a GPU where there is one.

    Raises:
        InputError: for another accelerator, or one that this machine does not have.
    """
    available = [
        name for name, backend in (("cuda", torch.cuda), ("mps", torch.backends.mps)) if backend.is_available()
    ]
    wanted = {"auto": [*available, "cpu"], "gpu": available, "cpu": ["cpu"]}.get(
        accelerator, [name for name in available if name == accelerator]
    )
    if not wanted:
        allowed = ", ".join(["auto", "cpu", *(["gpu"] if available else []), *available])
        raise InputError(f"train.accelerator {accelerator!r}: not on this machine; allowed: {allowed}")
    return torch.device(wanted[0])


def device_of(model: MultimodalModel) -> torch.device:
    """Return the device that a model is on; one without parameters may be anywhere."""
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def scaled_labels(features: FeatureSet, split: str) -> Tensor:
    """Return a split's labels as a model is trained on them: standardised by the train split for regression."""
    mean, std = features.label_scale
    labels = features.labels[features.rows(split)]
    return torch.from_numpy((labels - mean) / std if features.task == "regression" else labels)


def listen(model: MultimodalModel, features: FeatureSet, split: str) -> Said:
    """Return what the modules of a sealed mixture say of a split, in cohort order, in evaluation mode."""
    was_training = model.training
    model.eval()
    mixture = model.fusion
    if not isinstance(mixture, SealedMixture):
        raise TypeError("only a sealed mixture has modules that can be listened to")
    with torch.no_grad():
        batches = features.loader(split, EVALUATION_BATCH)
        said = [mixture.listen(model.tokens(to_device(batch, device_of(model)))) for batch in batches]
    model.train(was_training)
    return Said(
        beliefs=torch.cat([one.beliefs for one in said], dim=1),
        echoes=torch.cat([one.echoes for one in said], dim=1),
        own=torch.cat([one.own for one in said], dim=1),
        shadows=torch.cat([one.shadows for one in said], dim=1),
        joint=torch.cat([one.joint for one in said]),
        balance_loss=None,
    )


def prune(model: MultimodalModel, features: FeatureSet) -> None:
    """Fit a sealed mixture's projection on train, and decide on validation which parts stay; others have none."""
    if isinstance(model.fusion, SealedMixture):
        labels = scaled_labels(features, "validation").to(device_of(model))
        model.fusion.fit_projection(listen(model, features, "train"))
        model.fusion.kept = parts_to_keep(model.fusion, listen(model, features, "validation"), labels)


@dataclass(frozen=True)
class Predictions:
    """What a model predicts for N samples: logits [N, C], for an I2MoE expert logits [N, E, C] and weights [N, E].

    For regression, logits are in the label's units.
    """

    logits: NDArray[np.float32]
    expert_logits: NDArray[np.float32] | None
    weights: NDArray[np.float32] | None


def predict(model: MultimodalModel, features: FeatureSet, split: str) -> Predictions:
    """Predict every sample of a split, in cohort order, on the model's device."""
    return _predict(model, features.loader(split, EVALUATION_BATCH), *features.label_scale)


def predict_samples(model: MultimodalModel, samples: SampleSet, signature: Signature) -> Predictions:
    """Predict new samples, in order, on the model's device.

    Raises:
        InputError: for samples that are not what the model was trained on.
    """
    check_samples(samples, signature)
    return _predict(model, samples.batches(EVALUATION_BATCH), signature.label_mean, signature.label_std)


def check_samples(samples: SampleSet, signature: Signature) -> None:
    """Refuse samples that are not what a model was trained on.

    Raises:
        InputError: naming the modality, and what differs.
    """
    if samples.modalities != signature.modalities:
        raise InputError(f"the samples have modalities {samples.modalities}, the model {signature.modalities}")
    for name, own in signature.inputs.items():
        kind, shape = samples.kinds[name], samples.shapes[name]
        if kind != own.kind or shape != tuple(own.shape):
            raise InputError(
                f"modality {name!r}: the samples are of kind {kind} and shape {shape}, the model takes {own.kind} of "
                f"shape {tuple(own.shape)}: prepare them as the train samples were"
            )


def _predict(model: MultimodalModel, batches: Iterable[Batch], mean: float, std: float) -> Predictions:
    """Predict batches; for regression, mean and standard deviation bring logits to the label's units."""
    device = device_of(model)
    with torch.inference_mode():
        model.eval()
        parts = [model(to_device(batch, device)) for batch in batches]
    experts = None if parts[0].expert_logits is None else _stack([part.expert_logits for part in parts]) * std + mean
    weights = None if parts[0].weights is None else _stack([part.weights for part in parts])
    return Predictions(_stack([part.logits for part in parts]) * std + mean, experts, weights)


def mean_tokens(model: MultimodalModel, features: FeatureSet) -> list[Tensor]:
    """Return each modality's mean tokens [1, P, H] over the train samples that have it, encoders in evaluation mode.

    Of padded tokens that is one, [1, 1, H], the mean over all tokens of all samples.
    """
    was_training = model.training
    model.eval()
    sums: list[Tensor] = []
    counts: list[Tensor | int] = []
    with torch.no_grad():
        for batch in features.loader("train", EVALUATION_BATCH):
            moved = to_device(batch, device_of(model))
            presence = model.presence(moved)
            parts = (
                sum_over_samples(tokens, of_modality(presence, index))
                for index, tokens in enumerate(model.tokens(moved))
            )
            own, seen = zip(*parts, strict=True)
            sums = [total + part for total, part in zip(sums, own, strict=True)] if sums else list(own)
            counts = [total + part for total, part in zip(counts, seen, strict=True)] if counts else list(seen)
    model.train(was_training)
    return [total / count for total, count in zip(sums, counts, strict=True)]


def _stack(parts: list[Tensor | None]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = torch.cat([part for part in parts if part is not None]).float().cpu().numpy()
    return values


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Move a batch's tensors to a device."""
    return Batch(
        inputs={name: value.to(device) for name, value in batch.inputs.items()},
        lengths={name: value.to(device) for name, value in batch.lengths.items()},
        labels=batch.labels.to(device),
        rows=batch.rows,
        present={name: value.to(device) for name, value in batch.present.items()},
    )
