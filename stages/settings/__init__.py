"""The stage that reads all of params.yaml first."""
