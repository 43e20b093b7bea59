"""Discharge notes."""
