"""RunReport: one HTML file that tells of a run whether its model may be trusted, and why."""
