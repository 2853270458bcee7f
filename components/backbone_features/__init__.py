"""BackboneFeatures: what a frozen network says of every image, computed once."""
