"""Small models, and the processor on which tests train them."""

import torch
from small_models import SETTINGS, SPARSE

from i2moe.model.config import ModelConfig
from i2moe.training import Hardware

CPU = Hardware(accelerator="cpu")
METHODS = {name: own | ({"balance_weight": 0.01} if name in SPARSE else {}) for name, own in SETTINGS.items()}
# The ablations of section 7 and the replacement vectors of Table 5, as changes of an I2MoE.
VARIANTS = {
    "no-interaction-loss": {"interaction": {"loss_weight": 0.0}},
    "latent-contrastive": {"interaction": {"loss_weight": 0.1, "compare": "latent"}},
    "simple-weight": {"reweighting": "global"},
    "less-forward": {"interaction": {"loss_weight": 0.1, "views": "two"}},
    "synergy-redundancy": {"interaction": {"loss_weight": 0.1, "experts": "synergy-redundancy"}},
    "mean-vector": {"interaction": {"loss_weight": 0.1, "replacement": "mean"}},
    "zero-vector": {"interaction": {"loss_weight": 0.1, "replacement": "zero"}},
}
ALONE = {"interaction": None, "reweighting": None}


def config(**changes):
    settings = {
        "encoder": "mlp",
        "encoder_dim": 16,
        "num_patches": 2,
        "hidden_dim": 8,
        "dropout": 0.1,
        "fusion": {"method": "mult", "num_layers": 1, "num_heads": 2},
        "interaction": {"loss_weight": 0.1},
        "reweighting": {"hidden_dim": 8, "num_layers": 2, "temperature": 1.0},
        "learning_rate": 1e-2,
        "batch_size": 16,
        "epochs": 3,
        "selection": "loss",
    }
    return ModelConfig.model_validate(settings | changes)


def weights(checkpoint):
    return torch.load(checkpoint, weights_only=True)["state_dict"]
