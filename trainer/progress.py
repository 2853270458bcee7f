"""The logger on which components and trainer say how far they are; whoever runs the pipeline shows it."""

import logging

PROGRESS = logging.getLogger("effnet.progress")
