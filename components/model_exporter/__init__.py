"""ModelExporter: a pushed model in other formats, each compared with it on the eval images."""
