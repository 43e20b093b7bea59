"""Faults for real, on a small pipeline: what a user sees, what is taken for done, and what a plain repetition gives."""
