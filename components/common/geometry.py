"""The numbers of the central crop that the trainer's graph and the server's engine both cut."""

# Pixels that the reference's central crop leaves out, at the network's resolution
# (tensorflow/tpu, efficientnet/preprocessing.py, CROP_PADDING).
CROP_PADDING = 32
