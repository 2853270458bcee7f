"""Configuration, wiring, runners and the command line: orchestration, no image or model code."""
