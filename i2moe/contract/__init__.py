"""The data contract: the files that whatever prepares a dataset writes and every model reads."""
