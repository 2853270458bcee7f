"""Where images come from: folders, manifests, shards and the spans of any of these."""
