"""The former place of `pipeline.tfx_cli.hook`, which an environment installed by version 0.1.0 imports at every start.

It can go with version 0.3.0; `make setup` installs the new name.
"""

import pipeline.tfx_cli.hook  # noqa: F401
