"""I2MoE: a mixture of interaction experts over any multimodal fusion method (arXiv 2505.19190).

``from i2moe.model.interaction import InteractionMoE`` and so on: each module is imported where it is used,
so that ``import i2moe`` costs nothing.
"""
