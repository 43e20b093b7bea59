"""Labs and vitals."""
