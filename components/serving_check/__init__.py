"""ServingCheck: sees the exported model answer, as it will be served, before it may be pushed."""
