"""What Pusher's artifact says of a push, by the names of its custom properties.

The first three are TFX's own. All are apart from Pusher, so that the steps before and after it can read them.
"""

PUSHED, DESTINATION, VERSION = "pushed", "pushed_destination", "pushed_version"  # 1 or 0; folder; name in it
REFUSAL = "refusal"  # why a model that may be pushed was not
ALREADY_SERVED = "already_served"  # 1 if it was pushed before
