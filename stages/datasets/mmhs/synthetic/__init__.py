"""Synthetic raw files in the real formats, with a planted cause of the label."""
