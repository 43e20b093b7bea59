"""Fusion methods: M token tensors [B, P, H] in, logits [B, C] out; written for one expert, one file per method.

Beside each method's file stands that of its settings (`mult.py`, `mult_config.py`), which names the class and imports
no torch; `i2moe.model.config` finds it there. A method stands alone as a vanilla baseline, and
`i2moe.model.experts.Experts` runs several of them at once.
"""
