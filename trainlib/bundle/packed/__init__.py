"""Code that is copied into bundles; it imports nothing of trainlib."""
