"""What mends the stock tfx command line: its hook and the handlers for Kubeflow and Airflow."""
