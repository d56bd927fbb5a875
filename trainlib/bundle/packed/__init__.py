"""Code that is copied into bundles; of trainlib it imports modules of `trainlib.data` that are copied too."""
