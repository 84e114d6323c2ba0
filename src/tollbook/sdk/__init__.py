"""What applications import: a client that reports usage and never stands in the way."""
