"""ImageExampleGen: a folder of labelled images in, TFRecords of checked images and a report out.

`image_codec`, `listing`, `layout` and `split` are plain Python; `records` is the Beam part; `component`, `driver` and
`executor` are TFX's.
"""
