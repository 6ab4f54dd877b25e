#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What profrec sees of docs/examples/jobs.c, which names its jobs by labels:
# jobs_test.sh PROFREC JOBS INSPECT
set -eu
profrec=$1 jobs=$2 inspect=$3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
"$profrec" -q --cpu=500 --heap=65536 --block --mutex --fd -o jobs.pb.gz -- "$jobs"
"$inspect" jobs.cpu.pb.gz >cpu
for job in primes index report; do
	grep "^label job=$job [1-9]" cpu
done
# One job in ten forgets a file; each of 100 thousand words is kept.
"$inspect" jobs.fd.pb.gz | grep "^total fd/count 12$"
"$inspect" jobs.heap.pb.gz | grep "^total inuse_space/bytes [0-9]\{7\}$"
for kind in block mutex; do
	"$inspect" jobs.$kind.pb.gz | grep "^total delay/nanoseconds [1-9]"
done
