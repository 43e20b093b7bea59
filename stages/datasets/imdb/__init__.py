"""MM-IMDb: genres of movies from plots and posters."""
