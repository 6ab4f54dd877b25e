#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""profmerge as the combiner of jobs that others distribute.

    tree_test.py PROFMERGE GEN [unittest's own arguments]

1,000 profiles of one service, in two builds, are merged at once, by a tree
of GNU parallel and by a tree of Open MPI: the result is one, to the byte.
What is not installed is skipped; 77 where neither is.
"""
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

PROFMERGE = GEN = ""
N_FILES = 1000


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


class Tree(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="profmerge-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        os.mkdir(cls.folder / "fleet")
        cls.run_in([GEN, "fleet", "fleet", str(N_FILES), "--samples", "100"],
                   stdout=subprocess.DEVNULL)
        cls.names = sorted("fleet/" + n
                           for n in os.listdir(cls.folder / "fleet"))
        cls.run_in([PROFMERGE, "-j1", "-o", "flat.pb.gz", *cls.names])
        cls.flat = sha256(cls.folder / "flat.pb.gz")

    @classmethod
    def run_in(cls, command, **more):
        subprocess.run(command, cwd=cls.folder, check=True, timeout=300,
                       **more)

    def shuffled(self, seed):
        """The files in an order that has both builds everywhere."""
        names = list(self.names)
        random.Random(seed).shuffle(names)
        return names

    def test_files(self):
        """There is something to merge: the sum is far from any input."""
        self.assertEqual(len(self.names), N_FILES)
        size = (self.folder / "flat.pb.gz").stat().st_size
        for name in self.names[:2]:
            self.assertGreater(size, 20 * (self.folder / name).stat().st_size)

    def test_threads(self):
        self.run_in([PROFMERGE, "-j4", "--files-from=-", "-o", "four.pb.gz"],
                    input="\n".join(self.shuffled(1)).encode())
        self.assertEqual(sha256(self.folder / "four.pb.gz"), self.flat)

    @unittest.skipUnless(shutil.which("parallel"), "there is no GNU parallel")
    def test_parallel(self):
        """Groups of 12 files, of these groups again, until one is left."""
        env = dict(os.environ, HOME=str(self.folder))
        names, level = self.shuffled(2), 0
        while len(names) > 1:
            level += 1
            self.run_in(["parallel", "--jobs=2", "--max-args=12", PROFMERGE,
                         "-j1", "-o", "p%d-{#}.pb.gz" % level, "{}"],
                        input="\n".join(names).encode(), env=env)
            names = [p.name for p in
                     self.folder.glob("p%d-*.pb.gz" % level)]
        self.assertEqual(level, 3)
        self.assertEqual(sha256(self.folder / names[0]), self.flat)

    @unittest.skipUnless(shutil.which("mpirun"), "there is no Open MPI")
    def test_mpi(self):
        """Each rank has its share; the ranks of the next round theirs."""
        names = self.shuffled(3)
        for level, n_ranks in enumerate((8, 2, 1)):
            out = ["m%d-%d.pb.gz" % (level, i) for i in range(n_ranks)]
            for rank in range(n_ranks):
                (self.folder / ("list-%d" % rank)).write_text(
                    "\n".join(names[rank::n_ranks]))
            self.mpirun(n_ranks, "exec '%s' -j1 -o m%d-$R.pb.gz "
                        "--files-from=list-$R" % (PROFMERGE, level))
            names = out
        self.assertEqual(sha256(self.folder / names[0]), self.flat)

    def mpirun(self, n_ranks, script):
        env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1",
                   OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                   OMPI_MCA_btl="self,vader", OMPI_MCA_plm="isolated",
                   OMPI_MCA_orte_tmpdir_base=str(self.folder))
        self.run_in(["mpirun", "--oversubscribe", "-np", str(n_ranks), "sh",
                     "-c", "R=$OMPI_COMM_WORLD_RANK; " + script], env=env)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    PROFMERGE, GEN = map(os.path.abspath, (sys.argv.pop(1), sys.argv.pop(1)))
    if not shutil.which("parallel") and not shutil.which("mpirun"):
        sys.exit(77)
    unittest.main()
