"""What every part of the project builds on: the one error a user is meant to read, and checked settings."""
