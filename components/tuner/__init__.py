"""Tuner: TFX's own, whose result tells where it comes from."""
