#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How profreport compares with go tool pprof, in CPU time and memory.

    ratios.py PROFREPORT PROFILE [RUNS]

Prints, for each report, the least CPU seconds of RUNS runs (5) and the peak
memory of both, and the ratios. Only ratios of one run of this script mean
anything: machines differ.
"""
import os
import subprocess
import sys

REPORTS = ["-top", "-tree", "-traces", "-dot", "-callgrind", "-tags"]


def measure(command, runs):
    best, peak = float("inf"), 0
    for _ in range(runs):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            sys.exit(f"{command} failed")
        best = min(best, usage.ru_utime + usage.ru_stime)
        peak = max(peak, usage.ru_maxrss)
    return best, peak


def main():
    profreport, profile = sys.argv[1:3]
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    tools = subprocess.run(["go", "env", "GOTOOLDIR"], check=True,
                           capture_output=True, text=True).stdout.strip()
    pprof = os.path.join(tools, "pprof")
    print(f"{'report':<11}{'ours s':>8}{'KiB':>8}{'pprof s':>9}{'KiB':>8}"
          f"{'CPU':>7}{'memory':>8}")
    for report in REPORTS:
        ours, our_peak = measure([profreport, report, profile], runs)
        theirs, their_peak = measure([pprof, "-symbolize=none", report,
                                      profile], min(runs, 3))
        print(f"{report[1:]:<11}{ours:8.3f}{our_peak:8}{theirs:9.3f}"
              f"{their_peak:8}{theirs / ours:6.1f}x"
              f"{their_peak / our_peak:7.1f}x")


if __name__ == "__main__":
    main()
