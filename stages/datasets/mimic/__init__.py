"""MIMIC-IV from its own files: one-year mortality from labs and vitals, discharge notes and diagnosis codes."""
