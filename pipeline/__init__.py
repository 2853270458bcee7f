"""Configuration, wiring, runners and the command line: orchestration, no image or model code."""

from pipeline.hidden_packages import check_packages

check_packages()
