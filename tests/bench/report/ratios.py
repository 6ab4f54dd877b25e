#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How profreport compares with those who do it too, in one run.

    ratios.py BUILD PROFILE [JOB...]

BUILD is the build folder; PROFILE is a profile of about 1 MB, compressed.
Jobs: texts (beside go tool pprof), pictures (beside flamegraph.pl), growth
(the time of top, from 125,000 to 2,000,000 samples). Prints Markdown: CPU
seconds are the least of some runs, memory is the peak. Only ratios of one run
mean anything: machines differ.

flamegraph.pl is FLAMEGRAPH, or that of Debian's libdevel-nytprof-perl.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
REPORTS = ["-top", "-tree", "-traces", "-dot", "-callgrind", "-tags"]
FLAMEGRAPH = os.environ.get(
    "FLAMEGRAPH", "/usr/share/perl5/Devel/NYTProf/flamegraph.pl")


class Bench:
    def __init__(self, build, folder):
        self.tool = {name: build / "cmd" / name
                     for name in ("profreport", "profconv")}
        self.gen = build / "tests" / "gen"
        self.folder = folder
        # A process measured by its own parent: a child that Python forks
        # begins with Python's memory as its peak.
        self.run_child = folder / "run_child"
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o",
                        self.run_child, HERE.parent / "run_child.c"],
                       check=True)

    def measure(self, command, runs):
        out = subprocess.run([self.run_child, "-n", str(runs), *command],
                             check=True, capture_output=True, text=True,
                             stdin=subprocess.DEVNULL).stdout
        rows = [dict(pair.split("=") for pair in line.split())
                for line in out.strip().split("\n")]
        return (min(float(row["cpu"]) for row in rows),
                max(int(row["rss_kb"]) for row in rows))

    def size(self, command):
        return len(subprocess.run(command, check=True, capture_output=True)
                   .stdout)


def texts(bench, profile):
    tools = subprocess.run(["go", "env", "GOTOOLDIR"], check=True,
                           capture_output=True, text=True).stdout.strip()
    pprof = os.path.join(tools, "pprof")
    print("| report | ours s | KiB | pprof s | KiB | CPU | memory |\n"
          "|---|---|---|---|---|---|---|")
    for report in REPORTS:
        ours, peak = bench.measure(
            [bench.tool["profreport"], report, profile], 7)
        theirs, their_peak = bench.measure(
            [pprof, "-symbolize=none", report, profile], 3)
        print(f"| {report[1:]} | {ours:.3f} | {peak} | {theirs:.3f} | "
              f"{their_peak} | {theirs / ours:.1f} | "
              f"{their_peak / peak:.1f} |", flush=True)


def compare_pictures(bench, name, folded, runs):
    everything = [FLAMEGRAPH, "--minwidth", "0", folded]
    svg = subprocess.run(everything, check=True, capture_output=True).stdout
    frames = svg.count(b"<rect ") - 1  # the background is one
    theirs, _ = bench.measure(everything, runs)
    usual, _ = bench.measure([FLAMEGRAPH, folded], runs)
    for report, time in (("html", theirs), ("svg", usual)):
        command = [bench.tool["profreport"], report, folded]
        ours, _ = bench.measure(command, 5)
        size = bench.size(command)
        their_size = (len(svg) if report == "html"
                      else bench.size([FLAMEGRAPH, folded]))
        print(f"| {report} | {name}, {frames:,} frames | {ours:.3f} | "
              f"{time:.3f} | {time / ours:.1f} | {size:,} | "
              f"{their_size:,} | {their_size / size:.1f} |", flush=True)


def pictures(bench, _profile):
    if not os.access(FLAMEGRAPH, os.X_OK):
        print("no flamegraph.pl: set FLAMEGRAPH")
        return
    print("html holds every frame, as flamegraph.pl --minwidth 0 does; svg "
          "is beside flamegraph.pl as it is.\n\n"
          "| picture | of | ours s | flamegraph.pl s | ratio | bytes | "
          "its bytes | ratio |\n|---|---|---|---|---|---|---|---|")
    fleet = bench.folder / "fleet"
    fleet.mkdir()
    subprocess.run([bench.gen, "fleet", fleet, "1", "--samples", "9500"],
                   check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    folded = bench.folder / "fleet.folded"
    with open(folded, "wb") as out:
        subprocess.run([bench.tool["profconv"], "pprof-to-collapsed", "-q",
                        next(fleet.iterdir())], stdout=out, check=True)
    compare_pictures(bench, "a service", folded, 3)
    folded = bench.folder / "folded"
    subprocess.run([bench.gen, "collapsed", folded, "--lines", "9000"],
                   check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    megabytes = folded.stat().st_size / 1e6
    compare_pictures(bench, f"{megabytes:.0f} MB of stacks", folded, 1)


def growth(bench, _profile):
    print("| samples | profile MB | top s | µs a sample |\n|---|---|---|---|")
    for n in (125_000, 250_000, 500_000, 1_000_000, 2_000_000):
        folder = bench.folder / f"fleet{n}"
        folder.mkdir()
        subprocess.run([bench.gen, "fleet", folder, "1", "--samples", str(n)],
                       check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        file = next(folder.iterdir())
        ours, _ = bench.measure([bench.tool["profreport"], "top", file], 3)
        print(f"| {n:,} | {file.stat().st_size / 1e6:.1f} | {ours:.3f} | "
              f"{1e6 * ours / n:.2f} |", flush=True)
        file.unlink()


def main():
    jobs = {"texts": texts, "pictures": pictures, "growth": growth}
    build, profile = map(pathlib.Path, sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(build.resolve(), pathlib.Path(folder))
        for job in sys.argv[3:] or jobs:
            jobs[job](bench, profile)
            print(flush=True)


if __name__ == "__main__":
    main()
