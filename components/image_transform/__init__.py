"""ImageTransform: TFX's Transform, with a forecast before it starts and a count of the examples when it is done."""
