"""One training: its data and devices, its loop, its checkpoints, its process."""
