"""Every fusion method at small sizes, alone and in a mixture; shared by the tests of the models."""

import torch
from torch import nn

from i2moe.model.config import FUSION_CONFIGS, InteractionConfig
from i2moe.model.fusion import Sizes, import_fusion
from i2moe.model.interaction import GlobalWeights, InteractionMoE, Reweighting, expert_names
from i2moe.model.losses import CLASSIFICATION

SETTINGS = {
    "early": {"width": 6, "mlp_dim": 16, "num_layers": 2, "num_heads": 2},
    "late": {"num_layers": 2, "num_heads": 2},
    "lrmf": {"rank": 3, "fused_dim": 5, "mlp_dim": 7},
    "mult": {"num_layers": 2, "num_heads": 2},
    "interpretcc": {"temperature": 1.0, "threshold": 0.5},
    "switchgate": {"num_layers": 2, "num_heads": 2, "num_experts": 3, "capacity_factor": 1.2},
    "dense": {"num_layers": 2, "num_heads": 2},
    "gshard": {"num_layers": 2, "num_heads": 2, "num_experts": 4, "capacity_factor": 1.2},
    "moepp": {"num_layers": 2, "num_heads": 2, "num_experts": 6, "capacity_factor": 1.1, "tau": 0.75},
}
METHODS = list(SETTINGS)
SPARSE = ["switchgate", "moepp", "gshard"]


def fusion(method="mult", *, modalities=3, patches=2, width=8, outputs=4, dropout=0.0, num_tokens=(), **own):
    sizes = Sizes(modalities, patches, width, outputs, dropout, num_tokens)
    return import_fusion(FUSION_CONFIGS[method].module)(sizes, **(SETTINGS[method] | own))


def mixture(
    method="mult",
    *,
    modalities=3,
    width=8,
    dropout=0.0,
    losses=CLASSIFICATION,
    interaction=None,
    weights="mlp",
    **sizes,
):
    """Build an I2MoE; `interaction` has settings of InteractionConfig, `weights` is mlp or global."""
    config = InteractionConfig(**({"loss_weight": 0.5} | (interaction or {})))
    names = [f"m{index}" for index in range(modalities)]
    num_experts = len(expert_names(names, config.experts))
    reweighting = (
        GlobalWeights(num_experts)
        if weights == "global"
        else Reweighting(modalities * width, num_experts, hidden_dim=16, num_layers=2, temperature=1.5, dropout=dropout)
    )
    single = fusion(method, modalities=modalities, width=width, dropout=dropout, **sizes)
    return InteractionMoE(single, reweighting, names, losses, config)


class PlainLogits(nn.Module):
    """A fusion of one's own: any module from tokens to logits."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 4)

    def forward(self, tokens):
        return self.head(torch.stack([modality.mean(dim=1) for modality in tokens]).prod(dim=0))


def tokens(modalities=3, batch=5, patches=2, width=8):
    return [torch.randn(batch, patches, width) for _ in range(modalities)]


def different(module):
    """Give every expert its own weights, so that mixing experts up shows, and no weight is zero by symmetry."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())
