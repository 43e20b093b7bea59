"""Biospecimen tables."""
