"""`effnet init`: a pipeline.yaml for a folder of images."""
