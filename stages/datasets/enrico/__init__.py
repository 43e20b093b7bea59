"""ENRICO: topics of mobile screens from screenshots and wireframes."""
