"""MMHS150K: hate speech in tweets with an image, and with the text inside the image."""
