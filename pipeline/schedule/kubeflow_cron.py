"""Recurring runs: `effnet schedule ... --engine kubeflow`."""

import zoneinfo

from pipeline.kubeflow.errors import KubeflowError


def backend_cron(cron: str, zone: str) -> str:
    """The expression for the backend: six fields, seconds first, after the zone, in which its cron library counts.

    Args:
      cron: the usual five fields, minute first, or six.
      zone: an IANA name, such as Europe/Berlin.

    Raises:
      KubeflowError: another number of fields, or no such zone.
    """
    fields = cron.split()
    if len(fields) not in (5, 6):
        raise KubeflowError(f"cron: got {cron!r}, expected five fields, such as '0 2 * * *' for 2 o'clock every night")
    if zone not in zoneinfo.available_timezones():
        raise KubeflowError(f"time zone: got {zone!r}, expected a name such as Europe/Berlin")
    return " ".join([f"TZ={zone}", *(["0"] if len(fields) == 5 else []), *fields])
