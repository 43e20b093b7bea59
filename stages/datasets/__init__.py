"""A folder per dataset: from its raw files to cohort and features; each has a README."""
