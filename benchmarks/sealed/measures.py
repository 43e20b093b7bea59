"""Train one case in memory and measure it: the library's model and losses in a plain loop, without Lightning."""

import copy
import time
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.sealed.cases import ALONE, Case
from i2moe.data import Batch
from i2moe.explain.lattice import lattice_parts
from i2moe.explain.parts import part_contributions, part_gains, sample_shares
from i2moe.explain.subsets import subsets
from i2moe.model.losses import task_loss, total_loss
from i2moe.model.multimodal import MultimodalModel, build_model
from i2moe.model.pruning import parts_to_keep
from i2moe.model.sealed import SealedMixture
from i2moe.model.tokens import Tokens, in_place_of, values_of
from stages.datasets.planted.generators import Drawn

Row = dict[str, Any]
LEAST_ABILITY = 0.05  # accuracy above chance from which an expert is alive


def measure(case: Case) -> Row:
    """Draw, train and measure a case on one thread; return a row of the results."""
    torch.set_num_threads(1)
    drawn = case.draw()
    splits = split(drawn, case.sizes)
    start = time.perf_counter()
    model = train(case, splits, drawn.num_classes)
    seconds = time.perf_counter() - start
    test = splits[2]
    with torch.no_grad():
        tokens = model.tokens(test)
        logits = model.predict(tokens).logits
    key = {"data": case.name, "model": case.model, "experts": case.experts, "classes": case.num_classes}
    row = key | {"modalities": len(drawn.inputs), "seed": case.seed, "bayes": drawn.bayes, "seconds": seconds}
    row["accuracy"] = accuracy(logits, test.labels)
    if isinstance(model.fusion, SealedMixture):
        row |= of_parts(model.fusion, tokens, test.labels, drawn, case.sizes)
        mean = [values_of(own).mean(dim=0, keepdim=True) for own in model.tokens(splits[0])]
        row |= of_experts(model.fusion, tokens, mean, test.labels)
    return row


def split(drawn: Drawn, sizes: tuple[int, int, int]) -> list[Batch]:
    """Return train, validation and test as one batch each, standardised by train."""
    inputs = {}
    for name, values in drawn.inputs.items():
        train = values[: sizes[0]]
        scale = train.std(axis=0)
        inputs[name] = torch.from_numpy((values - train.mean(axis=0)) / np.where(scale > 0, scale, 1)).float()
    labels = torch.from_numpy(drawn.labels)
    bounds = np.cumsum([0, *sizes])
    parts = [slice(first, last) for first, last in pairwise(bounds)]
    return [
        Batch({name: own[rows] for name, own in inputs.items()}, {}, labels[rows], torch.arange(len(labels[rows])), {})
        for rows in parts
    ]


def train(case: Case, splits: list[Batch], num_classes: int) -> MultimodalModel:
    """Train a model and return it at the epoch that is best on validation."""
    train_split, validation, _ = splits
    config, task = case.config(), "binary" if num_classes == 2 else "multiclass"  # noqa: PLR2004
    torch.manual_seed(case.seed)
    shapes = {name: tuple(own.shape[1:]) for name, own in train_split.inputs.items()}
    kinds = dict.fromkeys(shapes, "vector")
    model = build_model(config, kinds=kinds, shapes=shapes, task=task, num_outputs=num_classes)
    mixture = model.fusion
    if isinstance(mixture, SealedMixture):
        mixture.fit_constant(train_split.labels)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.learning_rate, fused=True)
    best, weights = -np.inf, model.state_dict()
    for _ in range(config.epochs):
        model.train()
        for rows in torch.randperm(len(train_split.labels)).split(config.batch_size):  # type: ignore[no-untyped-call]
            batch = take(train_split, rows)
            prediction = model(batch)
            logits = prediction.logits
            if case.model == ALONE and isinstance(mixture, SealedMixture):
                logits = mixture.constant + prediction.expert_logits[:, -2]
            loss = total_loss(
                task_loss(task, logits, batch.labels), prediction.interaction_losses, config.role_weight, None, 0
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        score = validate(model, train_split, validation, case)
        if score > best:
            best, weights = score, copy.deepcopy(model.state_dict())
    model.load_state_dict(weights)
    return model.eval()


def take(batch: Batch, rows: Tensor) -> Batch:
    """Return some samples of a batch."""
    return Batch({name: own[rows] for name, own in batch.inputs.items()}, {}, batch.labels[rows], rows, {})


@torch.no_grad()
def validate(model: MultimodalModel, train_split: Batch, validation: Batch, case: Case) -> float:
    """Return the validation accuracy, of a sealed mixture after its parts were pruned."""
    mixture = model.eval().fusion
    if isinstance(mixture, SealedMixture):
        mixture.fit_projection(mixture.listen(model.tokens(train_split)))
        tokens = model.tokens(validation)
        mixture.kept = parts_to_keep(mixture, mixture.listen(tokens), validation.labels)
        if case.model == ALONE:
            mixture.kept = torch.zeros_like(mixture.kept)
            mixture.kept[-2] = 1
    return accuracy(model(validation).logits, validation.labels)


@torch.no_grad()
def of_parts(
    mixture: SealedMixture, tokens: list[Tokens], labels: Tensor, drawn: Drawn, sizes: tuple[int, int, int]
) -> Row:
    """Return the shares of the parts, their distance from the planted ones, and how often a sample's own is right."""
    said = mixture.listen(tokens)
    gains = part_gains(mixture, said, labels)
    saved = np.maximum(part_contributions(gains.mean(axis=1)), 0)
    shares = saved / saved.sum() if saved.sum() else np.full(len(saved), np.nan)
    names = mixture.expert_names
    row: Row = {"saved": float(gains[-1].mean() / constant_loss(mixture, labels))}
    row |= {f"share: {name}": float(share) for name, share in zip(names, shares, strict=True)}
    row |= {f"kept: {name}": float(kept) for name, kept in zip(names, mixture.kept, strict=True)}
    planted = dict.fromkeys(names, 0.0)
    for term, share in drawn.shares.items():
        planted[term.expert] += share
    wanted = np.array(list(planted.values()))
    if not np.isnan(wanted).any() and wanted.sum():
        row |= {
            "distance": float(np.abs(shares - wanted).sum() / 2),
            "found": float(shares.argmax() == wanted.argmax()),
        }
    if drawn.of_sample is not None:
        own = sample_shares(part_gains(mixture, said), 0.0)
        largest = np.array(names)[np.nan_to_num(own).argmax(axis=1)]
        row["found by sample"] = float((largest == drawn.of_sample[-sizes[2] :]).mean())
    return row


def constant_loss(mixture: SealedMixture, labels: Tensor) -> float:
    """Return the mean loss of the constant prediction."""
    nothing = torch.zeros(len(labels), len(mixture.constant))
    return float(mixture.sample_losses(nothing, labels).mean())


@torch.no_grad()
def of_experts(mixture: SealedMixture, tokens: list[Tokens], mean: list[Tensor], labels: Tensor) -> Row:
    """Return of each expert by itself whether it is alive, and whether it uses modalities as its name says."""
    chance = float(torch.bincount(labels).max() / len(labels))
    scores = []
    for inside in subsets(len(tokens)):
        seen = [
            own if is_in else in_place_of(other, own) for own, other, is_in in zip(tokens, mean, inside, strict=True)
        ]
        parts = mixture(seen).expert_logits
        assert parts is not None  # noqa: S101 (a sealed mixture has experts)
        scores.append([accuracy(mixture.constant + part, labels) for part in parts.unbind(dim=1)])
    by_expert = np.array(scores).T  # [E, K]
    row: Row = {}
    for index, values in enumerate(by_expert):
        is_alive = values[-1] > chance + LEAST_ABILITY
        row[f"alive: {index}"] = float(is_alive)
        row[f"as named: {index}"] = float(lattice_parts(values).argmax() == index) if is_alive else np.nan
    return row


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Return the share of samples whose largest logit is that of their class."""
    return float((logits.argmax(dim=1) == labels).float().mean())
