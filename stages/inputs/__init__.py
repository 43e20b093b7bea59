"""What the report shows of single test samples' inputs."""
