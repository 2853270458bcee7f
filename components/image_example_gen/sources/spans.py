"""Which folders of a path with {SPAN} are read: one a day, or one a number, and of them the last few."""

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from components.common.errors import DataError, MissingData
from components.common.human_format import some

PLACEHOLDER = "{SPAN}"
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_NAMED_DAYS = {"today": 0, "yesterday": 1}


@dataclass(frozen=True)
class SpanRule:
    """Which spans to take.

    Attributes:
        last: the newest span: "latest" of those that are there, "today" or "yesterday" (UTC), a number or a date.
        window: how many spans, the newest included; days for dates.
        allow_missing: takes what is there of the window, as long as anything is.
    """

    last: str = "latest"
    window: int = 1
    allow_missing: bool = False

    def choose(self, names: Iterable[str], today: datetime.date) -> list[str]:
        """Returns the names of the spans to read, oldest first.

        Args:
            names: what stands for {SPAN} in the folders that are there: numbers, or dates as 2024-05-31 or 20240531.
            today: for "today" and "yesterday".

        Raises:
            MissingData: if a span of the window is missing, and names it.
            DataError: if dates and numbers lie side by side.
        """
        there = _keys(names)
        dates = {key: name for key, name in there.items() if isinstance(key, datetime.date)}
        if dates and len(dates) < len(there):
            raise DataError(f"got dates and numbers side by side for {PLACEHOLDER}: {some(there.values())}; keep one")
        last = self._last(there, today)
        back = range(self.window - 1, -1, -1)
        if isinstance(last, datetime.date):
            wanted: list[datetime.date | int] = [last - datetime.timedelta(days=days) for days in back]
        else:
            wanted = [last - numbers for numbers in back]
        missing = [str(key) for key in wanted if key not in there]
        if missing and (not self.allow_missing or len(missing) == len(wanted)):
            raise MissingData(
                f"got no folder for the span {some(missing)} (there are {some(sorted(there.values())) or 'none'}): "
                "add it, or set data.span.allow_missing=true to go on without" + self._hint(there)
            )
        return [there[key] for key in wanted if key in there]

    def as_of(self, names: Iterable[str], day: datetime.date) -> "SpanRule":
        """Returns the rule that names its newest span, as it was meant on that day: "latest" is none from after it.

        Raises:
            MissingData: if there is no such span.
        """
        there = _keys(names)
        if self.last == "latest" and not (there := {key: name for key, name in there.items() if _is_by(key, day)}):
            raise MissingData(f"got no folder for {PLACEHOLDER} from {day} or before: add it, or correct data.path")
        last = self._last(there, day)
        if last not in there:
            raise MissingData(
                f"got no folder for the span {last} (there are {some(sorted(there.values())) or 'none'})"
                + self._hint(there)
            )
        return replace(self, last=str(last))

    def _hint(self, there: dict[datetime.date | int, str]) -> str:
        """What helps where numbers are asked for a day."""
        numbers = there and not any(isinstance(key, datetime.date) for key in there)
        asked = self.last in _NAMED_DAYS and numbers
        return f"; numbers are no days: {self.last} finds none, set data.span.last=latest" if asked else ""

    def _last(self, there: dict[datetime.date | int, str], today: datetime.date) -> datetime.date | int:
        if self.last in _NAMED_DAYS:
            return today - datetime.timedelta(days=_NAMED_DAYS[self.last])
        if self.last != "latest":
            key = _key(self.last)
            if key is None:
                raise DataError(
                    f"got data.span.last {self.last}, expected latest, today, yesterday, a number or a date"
                )
            return key
        if not there:
            raise MissingData(f"got no folder whose name has a number or a date for {PLACEHOLDER}: correct data.path")
        return max(there)


def _keys(names: Iterable[str]) -> dict[datetime.date | int, str]:
    return {key: name for name in names if (key := _key(name)) is not None}


def are_spans(names: Iterable[str]) -> bool:
    """Tells whether all names could stand for {SPAN}."""
    return all(_key(name) is not None for name in names)


def _is_by(key: datetime.date | int, day: datetime.date) -> bool:
    return not isinstance(key, datetime.date) or key <= day


def _key(name: str) -> datetime.date | int | None:
    """Returns the day or the number that a span's name says, None if neither."""
    if match := _DATE.fullmatch(name):
        try:
            return datetime.date(*map(int, match.groups()))
        except ValueError:
            pass  # eight digits that are no day are a number
    return int(name) if name.isascii() and name.isdecimal() else None
