"""Settles attempts: notes what they came to, tells whoever wants to hear it, and keeps the reports' copy."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from components.common import files
from pipeline.config.model import PipelineConfig
from pipeline.config.schedule import ATTEMPTS_FILE
from pipeline.schedule import alerts
from pipeline.schedule.attempts import NOT_SENT, Attempt
from pipeline.schedule.database import AttemptDatabase
from pipeline.schedule.notes import heading, local

NOBODY = "nobody: not asked for"
PENDING_LOOKED_AT = 20  # newest attempts whose alert is sent if that failed before
REPORTED = 30  # attempts that a run's report shows


@dataclass(frozen=True)
class Recorder:
    """The history with its consequences.

    Attributes:
      store: the history.
      clock: the time, with a zone.
      say: told what happens, in lines.
    """

    store: AttemptDatabase
    clock: Callable[[], datetime]
    say: Callable[[str], None]

    def settle(self, config: PipelineConfig, attempt: Attempt) -> None:
        """Notes what a slot came to in the end, and tells whoever wants to hear it."""
        noted = self.store.note(attempt)
        self.say(f"{heading(config, self.clock(), noted)}: {noted.verdict}: {noted.why}")
        self._tell([noted], config)
        self.write_report_file(config)

    def pending(self) -> list[Attempt]:
        """Attempts whose alert was not sent, or not taken by all."""
        return [attempt for attempt in self.store.attempts(PENDING_LOOKED_AT) if attempt.alert_is_due]

    def tell_what_is_pending(self, config: PipelineConfig) -> None:
        """Sends the alerts that were not sent to those who have not taken them."""
        self._tell(self.pending(), config)

    def write_report_file(self, config: PipelineConfig) -> None:
        """For the reports of runs, which know nothing of the store."""
        attempts = self.store.attempts(REPORTED)
        rows = [{**attempt.as_json(), "due": local(config, attempt.slot)} for attempt in attempts]
        files.write_text(str(self.store.folder / ATTEMPTS_FILE), json.dumps(rows, indent=1, ensure_ascii=False) + "\n")

    def _tell(self, attempts: list[Attempt], config: PipelineConfig) -> None:
        """Sends alerts, notes who took them, and says in one line why others did not."""
        problems: dict[str, None] = {}
        for attempt in attempts:
            sent = alerts.tell(config.schedule.alerts, config.name, attempt, zone=config.schedule.zone)
            if sent is None:
                self.store.note(replace(attempt, alert=NOBODY))
                continue
            alert = f"{self.clock().astimezone(UTC).isoformat()} {', '.join(sent.told)}"
            if sent.problems:
                alert = NOT_SENT + "; ".join(sent.problems)
                if alert != attempt.alert:  # or a receiver that is down would fill the log
                    problems |= dict.fromkeys(sent.problems)
            self.store.note(replace(attempt, alert=alert, told=sent.told))
        if problems:
            owed = len(self.pending())
            count = "1 alert is" if owed == 1 else f"{owed} alerts are"
            self.say(f"error: {count} owed; {'; '.join(problems)}; the next look tries again")
