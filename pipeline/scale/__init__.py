"""Compound scaling on one's own images: what networks cost, and which way of scaling suits the images."""
