"""What is true. Pure values and rules: no files, network, clock, logging or floats."""
