"""What the parts of tests/bench/run share: commands timed, rates printed."""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ROWFERRY_BUILD", ROOT / "build" / "release"))


def spent():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(*words, **options):
    """Wall and CPU seconds of a command."""
    start, used = time.monotonic(), spent()
    ended = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    if ended.returncode != 0:
        sys.exit(f"bench: {' '.join(map(str, words))}: {ended.stderr.decode()}")
    return time.monotonic() - start, spent() - used


def rowferry(place, *words):
    return timed(BUILD / "rowferry", "--store", place / "store", *words)


def rate(rows, seconds):
    return f"{rows / seconds:10,.0f}" if seconds > 0 else "         -"


def median(pairs):
    """Of runs by turns: the median of wall and that of CPU seconds."""
    return tuple(statistics.median(column) for column in zip(*pairs))
