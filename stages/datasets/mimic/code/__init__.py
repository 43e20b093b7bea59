"""Diagnosis codes."""
