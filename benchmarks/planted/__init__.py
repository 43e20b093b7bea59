"""Which reading of a trained model finds the interaction that is planted in synthetic data."""
