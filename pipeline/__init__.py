"""Configuration, wiring, runners and the command line: orchestration, no image or model code."""

from pipeline.start import check_packages

check_packages()
