"""Explanations: what the experts' weights say, what each expert can do alone, and what the whole model uses."""
