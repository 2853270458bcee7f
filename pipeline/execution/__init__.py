"""One run on this machine: preparation, lock, signals, progress and closing summary."""
