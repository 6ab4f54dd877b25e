# SPDX-License-Identifier: Apache-2.0
"""profrec in a shell's job control: what stops and interrupts the program
does so for profrec, each signal once: job_control.py PROFREC"""
import os
import signal
import subprocess
import sys
import tempfile
import time

PROGRAM = """
import os, signal, sys, time
def told(number, frame):
    print("got", signal.Signals(number).name, flush=True)
for name in sys.argv[1:]:
    signal.signal(getattr(signal, name), told)
print(os.getpid(), flush=True)
end = time.monotonic() + 60
while time.monotonic() < end and sys.stdin.read(1) != "q":
    pass
sys.exit(5)
"""


class Run:
    """profrec with a program in a process group of their own."""

    def __init__(self, profrec, *handled):
        self.child = subprocess.Popen(
            [profrec, "-q", "-o", "out.pb.gz", "--", sys.executable, "-c",
             PROGRAM, *handled], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, process_group=0)
        self.program = int(self.child.stdout.readline())

    def kill_all(self, number):
        os.killpg(self.child.pid, number)

    def wait(self, flags, is_it):
        for _ in range(600):
            pid, status = os.waitpid(self.child.pid, flags | os.WNOHANG)
            if pid:
                assert is_it(status), status
                return status
            time.sleep(0.1)
        raise AssertionError("nothing happened")

    def finish(self):
        self.child.stdin.write("q")
        self.child.stdin.flush()
        status = self.wait(0, os.WIFEXITED)
        assert os.WEXITSTATUS(status) == 5, status
        return self.child.stdout.read()


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def stops_and_goes_on(profrec):
    """^Z and fg."""
    run = Run(profrec, "SIGCONT")
    run.kill_all(signal.SIGTSTP)
    run.wait(os.WUNTRACED, os.WIFSTOPPED)
    assert state_of(run.program) == "T"
    run.kill_all(signal.SIGCONT)
    run.wait(os.WCONTINUED, os.WIFCONTINUED)
    assert run.finish().count("got SIGCONT") == 1


def stops_when_the_program_does(profrec):
    """An editor that puts the terminal right and stops itself."""
    run = Run(profrec)
    os.kill(run.program, signal.SIGTSTP)
    run.wait(os.WUNTRACED, os.WIFSTOPPED)
    os.kill(run.child.pid, signal.SIGCONT)
    run.wait(os.WCONTINUED, os.WIFCONTINUED)
    run.finish()


def does_not_stop_when_the_program_does_not(profrec):
    run = Run(profrec, "SIGTSTP")
    run.kill_all(signal.SIGTSTP)
    time.sleep(0.3)
    assert run.finish().count("got SIGTSTP") == 1


SIGNALS = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")


def each_comes_once(profrec, send):
    """Twice, as the witness of the first has seen it for good."""
    run = Run(profrec, *SIGNALS)
    for _ in range(2):
        for name in SIGNALS:
            send(run, getattr(signal, name))
            time.sleep(0.2)
    out = run.finish()
    for name in SIGNALS:
        assert out.count("got " + name) == 2, out


def comes_once_to_a_group(profrec):
    each_comes_once(profrec, Run.kill_all)


def passes_on(profrec):
    each_comes_once(profrec, lambda run, n: os.kill(run.child.pid, n))


def to_the_group_and_alone(profrec):
    """The one is not taken for the other."""
    run = Run(profrec, "SIGINT")
    run.kill_all(signal.SIGINT)
    time.sleep(0.3)
    os.kill(run.child.pid, signal.SIGINT)
    time.sleep(0.3)
    run.kill_all(signal.SIGINT)
    time.sleep(0.3)
    out = run.finish()
    assert out.count("got SIGINT") == 3, out


def leaves_nobody(profrec):
    """The witness ends with profrec, even where that is killed."""
    run = Run(profrec)
    run.child.send_signal(signal.SIGKILL)
    run.wait(0, os.WIFSIGNALED)
    os.kill(run.program, signal.SIGKILL)
    for _ in range(100):
        try:
            states = [state_of(int(p)) for p in os.listdir("/proc")
                      if p.isdigit() and os.getpgid(int(p)) == run.child.pid]
        except (OSError, ValueError):
            states = ["?"]
        if all(s == "Z" for s in states):
            return
        time.sleep(0.1)
    raise AssertionError(states)


def is_found_by_its_command_line(profrec):
    """As by pkill -f: profrec is, and nobody else in its group."""
    run = Run(profrec, "SIGTERM")
    time.sleep(0.3)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                is_it = b"out.pb.gz" in f.read()
            if is_it and os.getpgid(int(pid)) == run.child.pid:
                os.kill(int(pid), signal.SIGTERM)
        except OSError:
            pass
    time.sleep(0.3)
    assert run.finish().count("got SIGTERM") == 1


def dies_of_it(profrec):
    """The program's default action is profrec's end."""
    run = Run(profrec)
    run.kill_all(signal.SIGQUIT)
    status = run.wait(0, os.WIFSIGNALED)
    assert os.WTERMSIG(status) == signal.SIGQUIT


def main():
    profrec = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for test in (stops_and_goes_on, stops_when_the_program_does,
                     does_not_stop_when_the_program_does_not,
                     comes_once_to_a_group, passes_on,
                     to_the_group_and_alone,
                     is_found_by_its_command_line, dies_of_it, leaves_nobody):
            test(profrec)
            print("ok", test.__name__)


main()
