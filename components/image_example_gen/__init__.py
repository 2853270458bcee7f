"""ImageExampleGen: a folder of labelled images in, TFRecords of checked images and a report out.

`sources`, `images` and `split` are plain Python; `first_pass`, `grouping` and `beam_ingest` are the Beam part;
`component`, `driver` and `executor` are TFX's.
"""
