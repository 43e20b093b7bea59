"""I2MoE the straightforward way: one expert, one view after the other; PyTorch's own dropout, attention written out.

Same mathematics and the same weights as `InteractionMoE`; what benchmarks and tests compare it with.
"""

import copy

import torch
from torch import Tensor, nn

from i2moe.fusion.dropout import Dropout
from i2moe.fusion.moepp import MixedExperts
from i2moe.fusion.routing import ExpertLinear
from i2moe.fusion.switchgate import SwitchFeedForward
from i2moe.fusion.transformer import SelfAttention
from i2moe.model.interaction import Prediction
from i2moe.model.losses import InteractionLosses, interaction_losses


class LoopMixture(nn.Module):
    """M + 2 experts, each called once per view; replacement is random."""

    def __init__(
        self,
        fusion: nn.Module,
        reweighting: nn.Module,
        modalities: list[str],
        expert_names: list[str],
        losses: InteractionLosses,
    ) -> None:
        super().__init__()
        self.modalities = modalities
        self.expert_names = expert_names
        self.losses = losses
        self.experts = nn.ModuleList(plain(copy.deepcopy(fusion)) for _ in expert_names)
        self.reweighting = reweighting

    def forward(self, tokens: list[Tensor]) -> Prediction:
        """Predict from M token tensors [B, P, H], and in training compute the interaction losses."""
        weights = self.reweighting(tokens)
        outputs, balance = [], []
        for expert in self.experts:
            views = [expert(tokens)]
            for index in range(len(tokens) if self.training else 0):
                replaced = list(tokens)
                replaced[index] = torch.randn_like(tokens[index])
                views.append(expert(replaced))
            outputs.append(torch.stack([view.logits for view in views]))  # [V, B, C]
            balance += [view.balance_loss for view in views if view.balance_loss is not None]
        stacked = torch.stack(outputs)
        losses = interaction_losses(stacked, self.expert_names, len(tokens), self.losses) if self.training else {}
        logits = sum(weights[:, [index]] * output[0] for index, output in enumerate(outputs))
        return Prediction(
            logits, stacked[:, 0].transpose(0, 1), weights, losses, torch.stack(balance).mean() if balance else None
        )


def plain(module: nn.Module) -> nn.Module:
    """Replace our dropout by PyTorch's, fused attention by plain, and sparse dispatch by a loop over the experts."""
    for name, child in module.named_children():
        if isinstance(child, Dropout):
            setattr(module, name, nn.Dropout(child.p))
        else:
            plain(child)
    if isinstance(module, SelfAttention):
        module.forward = PlainAttention(module)  # type: ignore[method-assign]
    if isinstance(module, SwitchFeedForward):
        module.forward = PlainSwitch(module)  # type: ignore[method-assign]
    if isinstance(module, MixedExperts):
        module._ffn = PlainFFN(module)  # type: ignore[method-assign]  # noqa: SLF001
    return module


class PlainAttention:
    """Self-attention written out, in inference too."""

    def __init__(self, layer: SelfAttention) -> None:
        self.layer = (layer,)  # in a tuple, so that the layer is not its own child

    def __call__(
        self,
        tokens: Tensor,
        projected: Tensor | None = None,
        padding: Tensor | None = None,
        maps: list[Tensor] | None = None,
    ) -> Tensor:
        """Map tokens [B, N, H] to [B, N, H]."""
        (layer,) = self.layer
        batch, length, width = tokens.shape
        heads = layer.project(tokens) if projected is None else projected
        heads = heads.view(batch, length, 3, layer.num_heads, width // layer.num_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)  # each [B, heads, N, H / heads]
        scores = (query @ key.transpose(2, 3)) * query.shape[-1] ** -0.5
        if padding is not None:
            scores = scores.masked_fill(padding.view(batch, 1, 1, length), torch.finfo(scores.dtype).min)
        attention = scores.softmax(dim=3)
        if maps is not None:
            maps.append(attention)
        mixed = layer.dropout(attention) @ value
        attended = layer.output(mixed.transpose(1, 2).reshape(batch, length, width))
        return tokens + layer.dropout(attended)  # type: ignore[no-any-return]


class PlainSwitch:
    """The forward pass of a Switch layer, expert by expert; the module's parameters are used where they are."""

    def __init__(self, layer: SwitchFeedForward) -> None:
        self.layer = (layer,)

    def __call__(self, tokens: Tensor, num_views: int = 1) -> tuple[Tensor, Tensor]:  # noqa: ARG002 (1: one after the other)
        """Map tokens [B, N, H] to [B, N, H] and the balance loss."""
        (layer,) = self.layer
        normed = layer.norm(tokens).flatten(0, 1)
        seen = normed * (1 + 1e-2 * (2 * torch.rand_like(normed) - 1)) if layer.training else normed
        probabilities = torch.softmax(layer.router(seen), dim=1)
        gates, choices = probabilities.max(dim=1)
        capacity = -int(-layer.capacity_factor * len(normed) // layer.num_experts) if layer.training else len(normed)
        mixed = torch.zeros_like(normed)
        shares = []
        for expert in range(layer.num_experts):
            chosen = (choices == expert).nonzero().flatten()
            shares.append(len(chosen) / len(normed))
            taken = chosen[:capacity]
            hidden = layer.inner_dropout(layer.gelu(_linear(layer.inner, expert, normed[taken])))
            mixed = mixed.index_add(0, taken, _linear(layer.outer, expert, hidden) * gates[taken].unsqueeze(1))
        loss = layer.num_experts * (torch.tensor(shares, device=tokens.device) * probabilities.mean(dim=0)).sum()
        return tokens + layer.dropout(mixed.view(tokens.shape)), loss


class PlainFFN:
    """What a MoE++ layer's FFN experts add, expert by expert."""

    def __init__(self, layer: MixedExperts) -> None:
        self.layer = (layer,)

    def __call__(self, normed: Tensor, gates: Tensor, choices: Tensor, num_views: int) -> Tensor:  # noqa: ARG002 (1)
        """Map normalised tokens [n, H], gates [n, k] and choices [n, k] to [n, H]."""
        (layer,) = self.layer
        capacity = -int(-layer.capacity_share * len(normed) // 1) if layer.training else len(normed)
        mixed = torch.zeros_like(normed)
        for expert in range(layer.num_ffn):
            rank, token = (choices.t() == expert).nonzero(as_tuple=True)
            rank, token = rank[:capacity], token[:capacity]
            own = normed[token]
            hidden = layer.silu(_linear(layer.gate, expert, own)) * _linear(layer.inner, expert, own)
            mixed = mixed.index_add(0, token, _linear(layer.outer, expert, hidden) * gates[token, rank].unsqueeze(1))
        return mixed


def _linear(linear: ExpertLinear, expert: int, inputs: Tensor) -> Tensor:
    outputs: Tensor = inputs @ linear.weight[expert]
    return outputs if linear.bias is None else outputs + linear.bias[expert]
