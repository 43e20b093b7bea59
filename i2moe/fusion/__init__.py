"""Fusion methods: M token tensors [B, P, H] in, logits [B, C] out; written for one expert, one file per method.

The file of a method's settings is next to the method's own (`mult_config.py`, `mult.py`); it names the class and
imports no torch, and `i2moe.model.config` finds it there. A method by itself is a vanilla baseline, and
`i2moe.model.experts.Experts` runs several of them at once.
"""
