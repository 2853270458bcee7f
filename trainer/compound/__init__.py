"""Compound scaling studied: networks that are trained alike and compared (arXiv 1905.11946, section 3)."""
