"""RunReport: one HTML file that says whether a run's model may be trusted, and why."""
