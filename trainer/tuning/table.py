"""All trials in a table: as CSV for later, and as rows to look at while a search runs."""

from collections.abc import Mapping, Sequence

from components.common.csv_table import csv_text
from trainer.tuning.records import TrialRecord

COLUMNS = ("trial", "status", "score", "val_loss", "val_accuracy", "epochs", "seconds", "default", "winner")
ROWS_SHOWN = 12  # while it runs: the best trial and the newest ones


def trials_csv(records: Sequence[TrialRecord], winner: TrialRecord) -> str:
    """All trials as CSV, one a row."""
    names = list(dict.fromkeys(name for record in records for name in record.values))
    rows = []
    for record in records:
        last: Mapping[str, float] = record.history[-1] if record.history else {}
        rows.append(
            {
                "trial": record.trial,
                "status": record.status,
                "score": record.score,
                "val_loss": last.get("val_loss"),
                "val_accuracy": last.get("val_accuracy"),
                "epochs": len(record.history),
                "seconds": round(record.seconds, 1),
                "default": record.is_default,
                "winner": record.trial == winner.trial,
                "reason": record.reason,
                **record.values,
            }
        )
    return csv_text([*COLUMNS, *names, "reason"], rows)


def shown_rows(records: Sequence[TrialRecord], ranking: Sequence[TrialRecord]) -> list[list[str]]:
    """A header and a row for each ended trial, the best one first, then the newest ones by number."""
    ended = [record for record in records if record.status != "running"]
    names = list(dict.fromkeys(name for record in ended for name in record.values))
    rows = [["trial", *(name.removesuffix("_rate") for name in names), "val_loss", "val_acc", "epochs", "s", ""]]
    best = [*ranking[:1]]
    others = [record for record in ended if record not in best]
    for record in [*best, *others[-(ROWS_SHOWN - len(best)) :]]:
        values = [f"{record.values[name]:.4g}" if name in record.values else "" for name in names]
        last = record.history[-1] if record.history else {}
        scores = [f"{last[name]:.4f}" if name in last else "-" for name in ("val_loss", "val_accuracy")]
        notes = ["best"] if record in best else []
        notes += ["default values"] if record.is_default else []
        notes += [record.status] if record.status != "completed" else []
        cost = [str(len(record.history)), f"{record.seconds:.0f}"]
        rows.append([str(int(record.trial) + 1), *values, *scores, *cost, ", ".join(notes)])
    return rows
