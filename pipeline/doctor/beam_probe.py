"""Hands an engine one element and one file: `python -m pipeline.doctor.beam_probe FILE OPTION...`; see `beam`.

A process of its own, because an engine whose workers do not come waits for them without an end.
"""

import logging
import sys

from components.common import files
from components.common.errors import one_line


def read_first_byte(path: str) -> int:
    """Reads from a file, in a worker; returns how many bytes it got.

    Raises:
        OSError: if the worker cannot read it.
    """
    if not path:
        return 0
    with files.open_binary(path) as file:
        return len(file.read(1))


def main() -> None:
    """Runs the pipeline; its last line of output is what went wrong, or nothing."""
    path, *options = sys.argv[1:]
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    logging.disable(logging.INFO)
    try:
        with beam.Pipeline(options=PipelineOptions(options)) as pipeline:
            _ = pipeline | beam.Create([path]) | beam.Map(read_first_byte)
    except Exception as error:  # whatever it is, it is the verdict
        print(one_line(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
