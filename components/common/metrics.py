"""What metrics are called: by Keras and TFMA, and where a person reads of them, as in the settings and the guide."""

ACCURACY, EXAMPLES = "sparse_categorical_accuracy", "example_count"

METRIC_NAMES = {
    ACCURACY: "accuracy",
    "top_k_accuracy": "top-k accuracy",
    "sparse_categorical_crossentropy": "cross entropy",
    "expected_calibration_error": "calibration error",
    "auc": "AUC",
    EXAMPLES: "eval images",
}
