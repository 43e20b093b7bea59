"""What a run will do, and how long that may take; no stage."""
