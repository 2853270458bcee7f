"""CuratedSchema: the hand-written schema with the class list of the ingest filled in."""
