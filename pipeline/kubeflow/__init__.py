"""Kubeflow Pipelines and Vertex AI: compile, deploy, and what runs in the container."""
