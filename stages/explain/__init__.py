"""The stage that explains a trained model: one table per method."""
