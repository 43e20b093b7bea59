"""Datasets that come as tables: two examples, and your own."""
