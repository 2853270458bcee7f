"""The former place of `tfx_efficientnet_hook`, which an environment installed by version 0.1.0 imports at every start.

It can go with version 0.3.0, and `pipeline.kubeflow.cli_hook` with it; `make setup` installs the new name.
"""

try:
    import tfx_efficientnet_hook  # noqa: F401
except ModuleNotFoundError:  # that environment has not been set up again yet
    import pipeline.tfx_cli.tfx_efficientnet_hook  # noqa: F401
