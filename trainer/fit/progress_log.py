"""The logger on which components and trainer say how far they are; whoever runs the pipeline shows it.

A record may carry a table of what was done so far, rows of texts with a header: `extra={TABLE: rows}`. A terminal shows
the newest one above the message; elsewhere the messages alone tell the same.
"""

import logging

PROGRESS = logging.getLogger("effnet.progress")
TABLE = "table"

# What is done, one line each, where many trainings follow one another.
DONE = logging.getLogger("effnet.progress.done")
