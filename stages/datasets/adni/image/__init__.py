"""MRI: grey-matter maps, or FreeSurfer's measures."""
