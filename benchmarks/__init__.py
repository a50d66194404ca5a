"""What honeytrace costs: `make bench` (see `benchmarks/__main__.py`)."""
