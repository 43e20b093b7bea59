"""What every part of the project stands on: the one error a user is meant to read, and checked settings."""
