"""Images through frozen networks, as a dataset's arrays."""
