"""TFX components of the pipeline; each is a package of wiring, TFX executor and a core that does not import TFX."""
