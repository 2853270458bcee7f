"""Holds deploy/kserve.yaml against KServe's published types, with those of Kubernetes that they contain.

python kserve_schema.py MANIFEST
"""

import sys
from pathlib import Path

import kserve.models
import kubernetes.client.models
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))
from strict_types import check


class Models:
    """KServe's types, and those of Kubernetes, which newer clients load when they are asked for."""

    def __getattr__(self, name: str) -> object:
        for module in (kserve.models, kubernetes.client.models):
            if hasattr(module, name):
                return getattr(module, name)
        raise AttributeError(name)


for manifest in yaml.safe_load_all(Path(sys.argv[1]).read_text(encoding="utf-8")):
    check(manifest, "V1beta1InferenceService", Models())
    print(manifest["metadata"]["name"])
