"""Frozen Hugging Face encoders of texts and of images."""
