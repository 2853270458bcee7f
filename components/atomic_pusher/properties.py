"""What Pusher's artifact says besides TFX's own properties: apart, so that who reads it needs no Pusher."""

REFUSAL = "refusal"  # why a model that may be pushed was not
ALREADY_SERVED = "already_served"  # 1 if it was pushed before
