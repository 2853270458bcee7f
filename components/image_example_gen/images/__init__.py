"""One encoded image: decoding, damage, likeness."""
