"""A k-d tree in arrays and the searches in it, compiled."""
