"""The central crop, which settings and preprocessing share: apart, so that Transform's code holds no other setting."""

# The reference evaluates on a central crop that leaves a margin: size / (size + 32) of the shorter side
# (tensorflow/tpu, efficientnet/preprocessing.py, CROP_PADDING).
CROP_PADDING = 32
