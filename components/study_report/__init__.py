"""StudyReport: what came of trainings that are compared, in one place."""
