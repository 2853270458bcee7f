"""Puts a fingerprint of the image folder into ImageExampleGen's cache key."""

from components.common.cache_key_driver import CacheKeyDriver
from components.image_example_gen.cache_key import find


class Driver(CacheKeyDriver):
    """Reruns the ingest when a file was added, removed or written, and only then."""

    find = staticmethod(find)
