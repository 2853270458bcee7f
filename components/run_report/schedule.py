"""Earlier attempts of the schedule, from a file that the scheduler keeps."""

import json

from components.common import files
from components.run_report.content import ScheduledAttempt

RUNNING = "running"


def read_schedule(path: str) -> list[ScheduledAttempt]:
    """Returns the attempts, the newest first, without the one that this run is; none if there is no file.

    It is a JSON list, the oldest first: {"due": "2024-05-31 02:00 CEST", "kind": "scheduled", "spans": [...],
    "verdict": "refused", "why": "...", "served_after": "1717120000"}.
    """
    if not path or not files.exists(path):
        return []
    rows = [row for row in json.loads(files.read_bytes(path)) if row["verdict"] != RUNNING]
    return [
        ScheduledAttempt(
            due=row["due"] + ("" if row["kind"] == "scheduled" else f", {row['kind']}"),
            spans=" to ".join(dict.fromkeys([*row["spans"][:1], *row["spans"][-1:]])) or row["span"],
            verdict=row["verdict"],
            why=row["why"],
            served=row["served_after"],
        )
        for row in reversed(rows)
    ]
