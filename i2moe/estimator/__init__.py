"""I2MoE by scikit-learn's conventions: fit arrays, data frames, sequences or images, predict, explain, save."""
