"""Trainer: TFX's own, which also takes the features of a frozen network."""
