"""A clock that is set back or forward changes no verdict, and no order of runs and versions."""

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tfx]

# For the C++ libraries as well, which ask the C library for the time.
SHIFT = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long shift(void) { char *seconds = getenv("FAULT_SHIFT"); return seconds ? atol(seconds) : 0; }
int clock_gettime(clockid_t id, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int done = real(id, now);
  if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) now->tv_sec += shift();
  return done;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  int done = clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec; now->tv_usec = exact.tv_nsec / 1000;
  return done;
}
time_t time(time_t *result) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (result) *result = exact.tv_sec;
  return exact.tv_sec;
}
"""


@pytest.fixture(scope="module")
def shifted(tmp_path_factory):
    """shifted(hours) gives the environment of a process whose clock is off by them."""
    folder = tmp_path_factory.mktemp("clock")
    (folder / "shift.c").write_text(SHIFT)
    try:
        command = ["cc", "-shared", "-fPIC", "-o", str(folder / "shift.so"), str(folder / "shift.c"), "-ldl"]
        subprocess.run(command, check=True)
    except FileNotFoundError:
        pytest.skip("needs a C compiler, to shift the clock")
    return lambda hours: {"LD_PRELOAD": str(folder / "shift.so"), "FAULT_SHIFT": str(round(hours * 3600))}


def runs(project) -> list[dict]:
    return json.loads(project.effnet("runs", "--json").stdout)


@pytest.mark.parametrize("hours", [-3, -24 * 365, 24 * 365])
def test_a_refused_run_is_not_taken_for_an_older_one_that_pushed(trained, shifted, hours):
    trained.restore()
    before = len(runs(trained))
    done = trained.effnet("run", "--set", "evaluate.min_accuracy=0.99", **shifted(hours))
    assert done.returncode == 3, done.stdout
    assert "not blessed" in done.stdout
    newest = runs(trained)[-1]
    assert (newest["run"], newest["result"]) == (before + 1, "refused")
    assert newest["seconds"] >= 0
    trained.check_next_run()
    assert [run["result"] for run in runs(trained)[-2:]] == ["refused", "pushed"]


@pytest.mark.parametrize("hours", [-3, 24 * 365])
def test_what_is_pushed_is_the_newest_version(trained, shifted, hours):
    trained.restore()
    (before,) = trained.models()
    done = trained.effnet("run", **shifted(hours))
    assert "blessed and pushed" in done.stdout, done.stdout
    pushed, kept = trained.models()
    assert int(pushed["version"]) > int(before["version"])
    assert kept == before
    assert trained.effnet("rollback").returncode == 0
    assert trained.models()[0]["fingerprint"] == before["fingerprint"]
    assert Path(trained.folder, "build/tiny/metadata.sqlite").exists()
