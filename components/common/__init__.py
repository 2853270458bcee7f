"""What several components share and the trainer may import.

Nothing here imports TFX or TensorFlow at its top, but for `artifacts` and `cache_key_driver`.
"""
