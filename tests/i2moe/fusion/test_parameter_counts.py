"""How many parameters every fusion method has: documented closed forms, and the official modules' counts."""

import pytest
from small_models import METHODS, count, fusion, mixture

from i2moe.model.config import FUSION_CONFIGS
from i2moe.model.fusion import Sizes, import_fusion

CLOSED_FORMS = {
    "early": lambda m, _p, h, c: m * h * 6 + 2 * (4 * 6**2 + 9 * 6 + 2 * 6 * 16 + 16) + 6 * c + c,
    "late": lambda m, p, h, c: m * (2 * (8 * h**2 + 8 * h) + p * h + h * c + c),
    "lrmf": lambda m, _p, h, c: m * 3 * (h + 1) * 5 + 3 + 5 + (5 * 7 + 7) + (7 * c + c),
    "mult": lambda m, p, h, c: 2 * (8 * h**2 + 8 * h) + (m * h * c + c) + m * p * h,
    "interpretcc": lambda m, _p, h, c: (
        m * (h**2 + 2 * h + 1) + (m * h**2 + h) + (h * (h // 2) + h // 2) + ((h // 2) * c + c)
    ),
    "switchgate": lambda m, p, h, c: (
        2 * (8 * h**2 + 8 * h - (4 * h**2 + 3 * h) + 3 * (4 * h**2 + 3 * h) + 3 * h + 3) + (m * h * c + c) + m * p * h
    ),
    "dense": lambda m, _p, h, c: 2 * (8 * h**2 + 8 * h) + (m * h * c + c),
    "gshard": lambda m, _p, h, c: 2 * (8 * h**2 + 8 * h) + 3 * (4 * h**2 + 3 * h) + 4 * h + 4 + (m * h * c + c),
    "moepp": lambda m, p, h, c: (
        2 * (4 * h**2 + 5 * h + 8 * 6 * h + 9 * 36 + 192 * h * 2 + 6 * h) - 36 + m * h * c + c + m * p * h
    ),
}
# Sizes for ADNI, and the official module's count: Table 9, Table 10 (less the first layer's gating residual, 8 x 8,
# which no input reaches), and the official scripts' for H 64.
OFFICIAL = {
    "interpretcc": (128, 1, {"temperature": 1.0, "threshold": 0.5}, 140_679),
    "moepp": (
        256,
        8,
        {"num_layers": 2, "num_heads": 4, "num_experts": 8, "capacity_factor": 1.1, "tau": 0.75},
        968_323 - 64,
    ),
    "early": (64, 4, {"width": 9, "mlp_dim": 2048, "num_layers": 3, "num_heads": 3}, 120_285),
    "lrmf": (
        64,
        1,
        {"rank": 32, "fused_dim": 64, "mlp_dim": 128},
        4 * (32 * 65 * 64) + 32 + 64 + (64 * 128 + 128) + (128 * 3 + 3),
    ),
}


@pytest.mark.parametrize("method", METHODS)
def test_a_mixtures_experts_have_the_parameters_of_five_single_modules(method):
    model = mixture(method)
    assert count(model.experts) == 5 * count(fusion(method))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("modalities", "patches", "width", "outputs"), [(2, 1, 8, 1), (4, 3, 10, 23)])
def test_parameter_counts_are_the_documented_closed_forms(method, modalities, patches, width, outputs):
    module = fusion(method, modalities=modalities, patches=patches, width=width, outputs=outputs)
    assert count(module) == CLOSED_FORMS[method](modalities, patches, width, outputs)


@pytest.mark.parametrize("method", OFFICIAL)
def test_parameter_counts_are_the_official_modules(method):
    width, patches, own, expected = OFFICIAL[method]
    module = import_fusion(FUSION_CONFIGS[method].module)(Sizes(4, patches, width, 3, 0.5), **own)
    assert count(module) == expected
