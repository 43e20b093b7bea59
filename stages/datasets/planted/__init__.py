"""Synthetic tables whose labels follow from a known interaction of two modalities, to check readings against."""
