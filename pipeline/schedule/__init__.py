"""Runs that start by themselves: when one is due, whether it is worth it, and what came of it."""
