"""The compose file, really up: `make compose-smoke`."""
