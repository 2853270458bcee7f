"""Configuration, wiring, runners and the command line: orchestration, no image or model code."""

from pipeline.start import hidden_package

if _problem := hidden_package():
    raise ImportError(_problem)
