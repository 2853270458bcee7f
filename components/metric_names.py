"""What metrics are called where a person reads of them, as the settings and the guide name them."""

METRIC_NAMES = {
    "sparse_categorical_accuracy": "accuracy",
    "top_k_accuracy": "top-k accuracy",
    "sparse_categorical_crossentropy": "cross entropy",
    "expected_calibration_error": "calibration error",
    "auc": "AUC",
    "example_count": "eval images",
}
