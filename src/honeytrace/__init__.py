"""honeytrace."""
