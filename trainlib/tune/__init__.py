"""Search for good settings: many trainings by Ray Tune, each an ordinary run."""
