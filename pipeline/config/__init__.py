"""The typed, frozen form of pipeline.yaml, its error messages, and edits that keep its comments."""
