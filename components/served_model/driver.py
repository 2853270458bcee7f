"""Puts the served version into ServedModel's cache key."""

from components.common.cache_key_driver import CacheKeyDriver
from components.served_model.cache_key import find


class Driver(CacheKeyDriver):
    """Evaluates again when another model was pushed, and only then."""

    find = staticmethod(find)
