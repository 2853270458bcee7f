"""The entry point of `effnet`, installed beside this project's packages: it runs where another one hides them."""

import sys


def main() -> None:
    """Starts the command, or reports which file hides it."""
    try:
        from pipeline.start import main as start
    except ImportError as error:
        if error.name not in ("pipeline", "pipeline.start", "components", "trainer", "data"):
            raise
        hiding = sys.modules.get("pipeline")
        if error.name != "pipeline.start" or hiding is None:
            sys.exit(f"error: {error}")
        file = hiding.__file__ or next(iter(hiding.__path__))
        sys.exit(
            f"error: {file} hides this project's package `pipeline`; "
            "rename it, or take its folder out of PYTHONPATH and sys.path"
        )
    start()
