#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the sampler costs a program and what it survives, with peers beside it.

    peers.py BUILD [ROUNDS]

BUILD is a build directory. All rows of a table are run in turn, ROUNDS times
(9): only what one run of this script prints may be compared. Of costs it
prints the median, and its ratio to the same program without a profiler.
Peers that are not installed are left out; in Debian they are google-perftools,
libgoogle-perftools-dev, libjemalloc2, heaptrack and linux-perf.
"""
import glob
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


class Way:
    """A way to run a program: a command in front of it and an environment."""

    def __init__(self, name, command=(), like=None, samples=None, **env):
        self.name, self.command, self.env = name, list(command), env
        self.like = like        # the row that ratios are to
        self.samples = samples  # counts what it has recorded

    def run(self, *arguments):
        env = dict(os.environ, **self.env)
        return subprocess.run([*self.command, "./peers", *arguments], env=env,
                              stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL, check=False)


def library(name):
    found = glob.glob(f"/usr/lib/*/{name}")
    return found[0] if found else None


def only_installed(ways):
    return [w for w in ways if w and all(
        part != "" for part in w.env.values()) and
        (not w.command or shutil.which(w.command[0]))]


def numbers(text):
    """The first line of numbers; launchers say things, too."""
    for line in text.splitlines():
        try:
            if line.strip():
                return [float(x) for x in line.split()]
        except ValueError:
            continue
    return []


def medians(ways, rounds, *arguments):
    """Each way's medians of the numbers that the program prints."""
    rows = {w.name: [] for w in ways}
    for _ in range(rounds):
        for way in ways:
            out = numbers(way.run(*arguments).stdout)
            if out:
                rows[way.name].append(out)
    return {name: [statistics.median(column) for column in zip(*row)]
            for name, row in rows.items() if row}


def print_costs(title, ways, result, formats):
    print(f"\n== {title}")
    for way in ways:
        if way.name not in result:
            continue
        line = f"{way.name:<26}"
        base = result.get(way.like)
        for i, (value, text) in enumerate(zip(result[way.name], formats)):
            line += text.format(value)
            if base and "ratio" in title:
                line += f"{value / base[i]:8.3f}"
            elif base:
                line += f"  {value - base[i]:+9.1f}"
        print(line)


# ---- What was recorded, however the program ended ----

def total(build, name, kind, column):
    out = subprocess.run(
        [f"{build}/tests/sampler/sampler_inspect", name, kind],
        capture_output=True, text=True, check=False).stdout
    found = [line.split()[2] for line in out.splitlines()
             if line.startswith(f"total {column} ")]
    return float(found[0]) if found else 0


def inspect(build, name):
    return lambda: round(total(build, name, "cpu", "cpu/nanoseconds") / 1e7)


def contention(build, profrec):
    """The program's own sum of its waits, and those of both profiles."""
    out = subprocess.run([profrec, "-q", "--block", "--mutex", "-o",
                          "locks.raw", "--", "./peers", "contend", "300"],
                         stdout=subprocess.PIPE, text=True, check=True).stdout
    return [float(out)] + [
        total(build, "locks.raw", kind, "delay/nanoseconds") / 1e6
        for kind in ("block", "mutex")]


def gperftools_samples():
    out = subprocess.run(["google-pprof", "--text", "./peers", "cpu.gperf"],
                         capture_output=True, text=True, check=False)
    text = out.stdout + out.stderr
    if "Total: " not in text:
        return 0
    return int(text.split("Total: ")[1].split()[0])


def perf_samples():
    out = subprocess.run(["perf", "report", "-i", "perf.data", "--stdio",
                          "-F", "sample"], capture_output=True, text=True,
                         check=False).stdout
    return sum(int(line.split()[0]) for line in out.splitlines()
               if line.strip() and line.split()[0].isdigit())


def main():
    build = os.path.abspath(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 9
    profrec = f"{build}/cmd/profrec"
    jemalloc = library("libjemalloc.so.2") or ""
    tcmalloc = library("libtcmalloc.so.4") or ""
    profiler = library("libprofiler.so.0") or ""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        subprocess.run(["cc", "-O2", "-pthread", f"{HERE}/peers.c", "-o",
                        "peers"], check=True)
        alone = Way("alone")

        def ours(name, *options):
            return Way(name, [profrec, "-q", *options, "-o", "ours.raw",
                              "--"], "alone", inspect(build, "ours.raw"))

        ways = only_installed([
            alone,
            ours("profrec --heap", "--heap"),
            ours("profrec --heap=65536", "--heap=65536"),
            Way("jemalloc", LD_PRELOAD=jemalloc),
            Way("jemalloc prof 512 KiB", (), "jemalloc", LD_PRELOAD=jemalloc,
                MALLOC_CONF="prof:true,lg_prof_sample:19"),
            Way("tcmalloc", LD_PRELOAD=tcmalloc),
            Way("tcmalloc sample 512 KiB", (), "tcmalloc",
                LD_PRELOAD=tcmalloc, TCMALLOC_SAMPLE_PARAMETER="524288"),
        ])
        print_costs("H2: malloc and free, CPU ns; ratio", ways,
                    medians(ways, rounds, "malloc", "6000000"), ["{:9.1f}"])
        ways = only_installed([alone, Way("heaptrack", ["heaptrack", "-r"],
                                          "alone")])
        print_costs("H2: the same, fewer blocks; ratio", ways,
                    medians(ways, 3, "malloc", "200000"), ["{:9.1f}"])

        cpu_ways = [
            alone,
            ours("profrec", "--cpu"),
            ours("profrec --source=timer", "--cpu", "--source=timer"),
            Way("gperftools", (), "alone", gperftools_samples,
                LD_PRELOAD=profiler, CPUPROFILE="cpu.gperf",
                CPUPROFILE_FREQUENCY="100"),
            Way("perf record", ["perf", "record", "-q", "-g", "-F", "100",
                                "-o", "perf.data"], "alone", perf_samples),
        ]
        ways = only_installed([
            *cpu_ways, ours("profrec, all kinds", "--cpu", "--heap", "--block",
                            "--mutex", "--fd", "--threadcreate"),
            Way("jemalloc prof 512 KiB", (), "alone", LD_PRELOAD=jemalloc,
                MALLOC_CONF="prof:true,lg_prof_sample:19"),
            Way("heaptrack", ["heaptrack", "-r"], "alone")])
        print_costs("S1: CPU us, and KiB, at main(); more than alone", ways,
                    medians(ways, rounds, "start"), ["{:9.0f}", "{:9.0f}"])
        told, block, mutex = contention(build, profrec)
        print("\n== L1: ms that three threads waited for a lock; ratio\n"
              f"the program itself {told:18.1f}\n"
              f"block profile {block:23.1f}{block / told:8.3f}\n"
              f"mutex profile, unlockers {mutex:12.1f}{mutex / told:8.3f}")
        ways = only_installed(cpu_ways)
        print_costs("S1: us to make and join a thread; more than alone", ways,
                    medians(ways, rounds, "threads", "1000"), ["{:9.1f}"])
        print_costs("R1: of 600 sleeps cut short", ways,
                    medians(ways, 1, "eintr", "600"), ["{:6.0f}"])
        print("\n== R1: becomes itself 40 times, exit code")
        for way in ways:
            print(f"{way.name:<26}{way.run('exec', '40').returncode:6}")
        print("\n== R2: samples of 0.3 s at 100 Hz, by how the program ended")
        for way in ways[1:]:
            line = f"{way.name:<26}"
            for how in ("return", "_exit", "abort", "kill"):
                for name in glob.glob("*.raw") + ["cpu.gperf", "perf.data"]:
                    if os.path.exists(name):
                        os.remove(name)
                way.run("end", how)
                line += f"{how:>9}{way.samples():4}"
            print(line)


main()
