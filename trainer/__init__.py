"""The network, its data and its training: everything that runs inside the Tuner and Trainer steps."""
