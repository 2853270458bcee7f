"""What users are told when Kubeflow cannot do what they asked for."""


class KubeflowError(ValueError):
    """One line: what was got, what was expected and what to do."""
