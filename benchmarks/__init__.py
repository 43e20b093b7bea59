"""Benchmarks: I2MoE's training step and inference against a plain loop over experts, views and sparse experts."""
