"""Mutated files for every parser: none may end in anything but success or an InputError."""
