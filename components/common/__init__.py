"""What several components share and the trainer may import.

Only `artifacts` and `cache_key_driver` import TFX at their top, and nothing here imports TensorFlow there.
"""
