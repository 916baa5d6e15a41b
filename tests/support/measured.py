"""Runs of rowferry whose anonymous memory (RssAnon) is bounded."""

import subprocess
import time

from rowferry import BINARY, Run, expect

POLL_SECONDS = 0.01
MIB = 1024  # in the kibibytes of /proc


def anonymous_kib(pid):
    """RssAnon of a process; 0 when it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def measure(node, limit_mib, *words):
    """Run a command to its end, looking at its memory all the while."""
    start, peak = time.monotonic(), 0
    words = ["--store", str(node.store), *map(str, words)]
    process = subprocess.Popen([BINARY, *words], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while True:
        peak = max(peak, anonymous_kib(process.pid))
        try:
            output, errors = process.communicate(timeout=POLL_SECONDS)
            break
        except subprocess.TimeoutExpired:
            pass
    result = Run(words, process.returncode, output.decode(), errors.decode())
    expect(process.returncode == 0, str(result))
    print(f"  {words[2]:8} {time.monotonic() - start:6.1f} s, "
          f"peak RssAnon {peak / MIB:6.1f} MiB", flush=True)
    expect(0 < peak < limit_mib * MIB, f"{words[2]}: {peak / MIB:.1f} MiB, at most {limit_mib}")
    return result
