"""Settles attempts: notes their results, sends the alerts, and writes the copy that reports read."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from components.common import files
from components.common.human_format import counted
from pipeline.config.model import PipelineConfig
from pipeline.config.schedule import ATTEMPTS_FILE
from pipeline.schedule import alerts
from pipeline.schedule.attempts import NOT_SENT, Attempt
from pipeline.schedule.database import AttemptDatabase
from pipeline.schedule.notes import heading, local

NOBODY = "no alert configured"
PENDING_LOOKED_AT = 20  # newest attempts whose alerts are retried
REPORTED = 30  # attempts that a run's report shows


@dataclass(frozen=True)
class Recorder:
    """The history, with alerts and the reports' copy.

    Attributes:
      store: the history.
      clock: the time, with a zone.
      say: receives what happens, line by line.
    """

    store: AttemptDatabase
    clock: Callable[[], datetime]
    say: Callable[[str], None]

    def settle(self, config: PipelineConfig, attempt: Attempt) -> None:
        """Notes the final result of a slot, and sends its alert."""
        noted = self.store.note(attempt)
        self.say(f"{heading(config, self.clock(), noted)}: {noted.verdict}: {noted.why}")
        self._tell([noted], config)
        self.write_report_file(config)

    def pending(self) -> list[Attempt]:
        """Attempts whose alert was not sent, or not accepted by all receivers."""
        return [attempt for attempt in self.store.attempts(PENDING_LOOKED_AT) if attempt.alert_is_due]

    def tell_what_is_pending(self, config: PipelineConfig) -> None:
        """Sends pending alerts to the receivers that have not accepted them."""
        self._tell(self.pending(), config)

    def write_report_file(self, config: PipelineConfig) -> None:
        """Writes the copy for reports of runs, which do not know the database."""
        attempts = self.store.attempts(REPORTED)
        rows = [{**attempt.as_json(), "due": local(config, attempt.slot)} for attempt in attempts]
        files.write_text(str(self.store.folder / ATTEMPTS_FILE), json.dumps(rows, indent=1, ensure_ascii=False) + "\n")

    def _tell(self, attempts: list[Attempt], config: PipelineConfig) -> None:
        """Sends alerts, notes which receivers accepted them, and reports in one line why others did not."""
        problems: dict[str, None] = {}
        for attempt in attempts:
            sent = alerts.tell(config.schedule.alerts, config.name, attempt, zone=config.schedule.zone)
            if sent is None:
                self.store.note(replace(attempt, alert=NOBODY))
                continue
            alert = f"{self.clock().astimezone(UTC).isoformat()} {', '.join(sent.told)}"
            if sent.problems:
                alert = NOT_SENT + "; ".join(sent.problems)
                if alert != attempt.alert:  # else a receiver that is down would fill the log
                    problems |= dict.fromkeys(sent.problems)
            self.store.note(replace(attempt, alert=alert, told=sent.told))
        if problems:
            pending = counted(len(self.pending()), "alert")
            self.say(f"error: {pending} not sent; {'; '.join(problems)}; retried at the next check")
