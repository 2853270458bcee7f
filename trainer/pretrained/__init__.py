"""Published weights: where their files come from, and how timm names what is in them."""
