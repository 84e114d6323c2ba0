"""The server: what comes in over HTTP, and what is asked for."""
