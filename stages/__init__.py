"""The workflow: what knows datasets, files and DVC. Each stage is `python -m stages.<name>`."""
