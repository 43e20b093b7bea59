"""Encoders: one modality's array → tokens [B, P, H]; one file per kind of array."""
