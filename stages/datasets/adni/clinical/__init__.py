"""Clinical tables."""
