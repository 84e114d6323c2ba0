"""Readers of the outside world. Each hands foreign bytes to ``formats``."""
