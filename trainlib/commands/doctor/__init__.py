"""Look at versions, accelerators, limits and disks for what would break or slow down a training."""
