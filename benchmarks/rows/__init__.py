"""From a large table to training: seconds and memory of each stage."""
