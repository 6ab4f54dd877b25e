#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manual pages have the options that --help has, and no others.

    manuals_test.py SOURCE TOOL...

The options that all tools share are told by profconv's page, those that
change a profile by proffilter's.
"""
import pathlib
import re
import shutil
import subprocess
import sys


def said(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL, check=False).stdout


def told(page):
    """The long options of a page in mdoc or man."""
    text = page.read_text().replace("\\-", "-")
    if ".Fl" in text or " Fl " in text:
        return set(re.findall(r"(?m)Fl -([a-z][a-z0-9-]+)", text))
    return set(re.findall(r"--([a-z][a-z0-9-]+)", text))


def faults(tool, pages):
    page = pages / (tool.name + ".1")
    if not page.exists():
        return ["%s: no manual page" % tool.name]
    # The text under the usage has examples; options begin their lines.
    known = set(re.findall(r"(?m)^ {2,8}(?:-\w, )?--([a-z][a-z0-9-]+)",
                           said(tool, "--help")))
    shared = told(pages / "profconv.1") | told(pages / "proffilter.1")
    name = re.search(r"(?m)^\.Nm (\S+)|^(\S+) \\?-", page.read_text())
    found = ["%s: no options in --help" % tool.name] * (not known)
    if not name or tool.name not in name.groups():
        found.append("%s: the page is another's" % page.name)
    found += ["%s: does not tell of --%s" % (page.name, option)
              for option in sorted(known - told(page) - shared)]
    found += ["%s: --%s is not in --help" % (page.name, option)
              for option in sorted(told(page) - known)]
    if shutil.which("mandoc"):
        found += [line for line in
                  said("mandoc", "-T", "lint", "-W", "error",
                       page).splitlines()]
    return found


def main():
    pages = pathlib.Path(sys.argv[1]) / "docs/man"
    found = []
    for tool in map(pathlib.Path, sys.argv[2:]):
        found += faults(tool, pages)
    print("\n".join(found))
    return 1 if found or len(sys.argv) < 3 else 0


if __name__ == "__main__":
    sys.exit(main())
