// The user interface itself, which another container serves.
