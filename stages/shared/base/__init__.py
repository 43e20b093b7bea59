"""What every stage is made of: its command line, paths, settings and whole files."""
