"""How much each token matters to what a model predicts for a sample, by each expert and by their mixture.

Methods:
- `rollout` and `gradient rollout`: from the attention, see `i2moe.explain.tokens.attention`;
- `integrated gradients` (Sundararajan et al., ICML 2017): from the modality's mean tokens to the sample's own, in
  STEPS equal steps taken at their ends; a token's score is the mean size over its H numbers. The FL-I2MoE line starts
  from zeros; we start from what a token that is out is set to everywhere else.

What is asked about is the logit of what the whole model predicts. Of the mixture, attention knows nothing of what acts
through the experts' weights, so both kinds of rollout are those of `mixture, weights fixed`: the experts' rollouts in
shares of their weights, and the sum of their gradient rollouts, whose gradients hold the weights.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from i2moe.explain.tokens.attention import gradient_rollout, rollout
from i2moe.explain.tokens.reading import FIXED, MIXTURE, Reading
from i2moe.explain.tokens.target import value_of
from i2moe.model.tokens import Tokens, in_place_of, samples, values_of, with_values
from i2moe.selection import Floats

STEPS = 16
SAMPLES_AT_ONCE = 16  # of which the attention of all experts and its gradients are held

Scores = dict[str, Tensor]  # by name of a reading, [B, n]


def attribute(reading: Reading, method: str) -> dict[str, Floats]:
    """Return the score of each token, [S, n], 0 at padding, by name of `Reading.names`.

    Args:
        reading: the model and the samples.
        method: of METHODS.
    """
    everyone = torch.split(torch.arange(len(reading.players.real)), SAMPLES_AT_ONCE)
    parts = [METHODS[method](reading, index) for index in everyone]
    joined = {name: torch.cat([part[name] for part in parts]).double().cpu().numpy() for name in parts[0]}
    return {name: scores * reading.players.real for name, scores in joined.items()}


def _rollout(reading: Reading, index: Tensor) -> Scores:
    real = _real(reading, index)
    tokens = _tokens(reading, index)
    with torch.no_grad():
        own = {name: rollout(fusion.with_attention(tokens)[1], real) for name, fusion in reading.fusions.items()}
    return _mixed(own, reading.weights[index])


def _gradient_rollout(reading: Reading, index: Tensor) -> Scores:
    real, own, mixed = _real(reading, index), {}, []
    for place, (name, fusion) in enumerate(reading.fusions.items()):
        with torch.enable_grad():
            fused, maps = fusion.with_attention(_tokens(reading, index))
            value = value_of(reading.task, fused.logits, reading.targets[index], "logit")
            gradients = torch.autograd.grad(value.sum(), maps)
        maps = [each.detach() for each in maps]
        own[name] = gradient_rollout(maps, list(gradients), real)
        weight = reading.weights[index, place].view(-1, 1, 1, 1)
        mixed.append(gradient_rollout(maps, [weight * each for each in gradients], real))
    return own | ({FIXED: torch.stack(mixed).sum(dim=0)} if len(own) > 1 else {})


def _integrated_gradients(reading: Reading, index: Tensor) -> Scores:
    tokens = _tokens(reading, index)
    starts = [values_of(in_place_of(mean, own)) for mean, own in zip(reading.means, tokens, strict=True)]
    ways = [values_of(own) - start for own, start in zip(tokens, starts, strict=True)]
    found = {}
    for name in reading.names:
        sums = [torch.zeros_like(way) for way in ways]
        for step in range(1, STEPS + 1):
            points = [(start + step / STEPS * way).requires_grad_() for start, way in zip(starts, ways, strict=True)]
            with torch.enable_grad():
                seen = [with_values(own, point) for own, point in zip(tokens, points, strict=True)]
                logits = _logits(reading, name, seen, index)
                value = value_of(reading.task, logits, reading.targets[index], "logit")
                gradients = torch.autograd.grad(value.sum(), points)
            sums = [total + gradient for total, gradient in zip(sums, gradients, strict=True)]
        found[name] = torch.cat(
            [(way * total / STEPS).abs().mean(dim=-1) for way, total in zip(ways, sums, strict=True)], dim=1
        )
    return found


METHODS: dict[str, Callable[[Reading, Tensor], Scores]] = {
    "rollout": _rollout,
    "gradient rollout": _gradient_rollout,
    "integrated gradients": _integrated_gradients,
}


def _logits(reading: Reading, name: str, tokens: list[Tokens], index: Tensor) -> Tensor:
    """Return what one of a reading's names says of changed tokens, [B, C]."""
    if name == MIXTURE:
        return reading.model.predict(tokens).logits
    if name == FIXED:
        each = torch.stack([fusion(tokens).logits for _, fusion in reading.fusions.items()], dim=1)
        return torch.einsum("bec,be->bc", each, reading.weights[index])
    return reading.fusions[name](tokens).logits  # type: ignore[no-any-return]


def _mixed(own: Scores, weights: Tensor) -> Scores:
    """Add the mixture's, of experts in shares of their weights."""
    if len(own) == 1:
        return own
    return own | {FIXED: torch.einsum("ebn,be->bn", torch.stack(list(own.values())), weights)}


def _tokens(reading: Reading, index: Tensor) -> list[Tokens]:
    return [samples(own, index) for own in reading.tokens]


def _real(reading: Reading, index: Tensor) -> Tensor:
    return torch.from_numpy(reading.players.real)[index].to(reading.device)
