"""Whether readings of tokens find the pairs of columns that are planted, on games whose values are known exactly."""
