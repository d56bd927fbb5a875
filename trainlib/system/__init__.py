"""What the operating system gives and takes: files, disk space, locks, signals."""
