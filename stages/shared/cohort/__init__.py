"""Where every dataset's cohort stage ends: a split, and a cohort by the data contract."""
