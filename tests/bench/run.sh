#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs ours and the peers side by side and prints a Markdown table.
# Usage: tests/bench/run.sh [WORK [JOB...]]; README.md says what is measured.
#
# BUILD   where cmake built the project (build)
# RUNS    runs of each, of which the median counts (5)
# SEED    of the inputs (1)
# KINDS   of profiles that are parsed and written (small medium large)
# FLEET   files in the fleet (1000)
# DRIVER  our benchmark driver (found below BUILD)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=${1:-${TMPDIR:+$TMPDIR/bench}}
mkdir -p "${work:=build/bench}"
work=$(cd "$work" && pwd) # go wants an absolute path for its cache
[ $# -gt 0 ] && shift
: "${BUILD:=build}" "${RUNS:=5}" "${SEED:=1}" "${FLEET:=1000}"
: "${KINDS:=small medium large}"
: "${CC:=cc}" "${GOPATH_PPROF:=/usr/share/gocode}"
data=$work/data-$SEED
cpus=$(getconf _NPROCESSORS_ONLN)

say() { echo "run.sh: $*" >&2; }

find_tool() {
	find "$BUILD" -type f -name "$1" -perm -u+x 2>/dev/null | head -n 1
}

build() {
	"$CC" -std=c11 -O2 -o "$work/gen" "$here/gen.c" -lz
	"$CC" -std=c11 -O2 -o "$work/floor" "$here/floor.c" -ldeflate -lyaml
	"$CC" -std=c11 -O2 -o "$work/run_child" "$here/run_child.c"
	# GOPATH mode: the distribution's package, no download
	GO111MODULE=off GOPATH=$GOPATH_PPROF GOCACHE=$work/go-cache \
		GOFLAGS= go build -o "$work/peer" "$here/peer/peer.go"
	driver=${DRIVER:-$(find_tool bench_profile)}
	profconv=$(find_tool profconv)
	profmerge=$(find_tool profmerge)
}

# input KIND FILE: made once for a seed; a broken run leaves no half file.
input() {
	[ -e "$data/$2" ] && return
	say "making $2"
	"$work/gen" "$1" "$data/$2.part" --seed "$SEED" >"$data/$2.txt"
	mv "$data/$2.part" "$data/$2"
}

inputs() {
	# another generator makes other inputs
	if [ "$(cat "$data/gen.sum" 2>/dev/null)" != "$(cksum <"$here/gen.c")" ]
	then
		rm -rf "$data"
		mkdir -p "$data"
		cksum <"$here/gen.c" >"$data/gen.sum"
	fi
	for kind in small medium large; do
		input "$kind" "$kind.pb.gz"
	done
	input chunks chunks.words
	input collapsed collapsed.txt
	input collapsed-sorted collapsed-sorted.txt
	if [ ! -e "$data/fleet-$FLEET" ]; then
		say "making a fleet of $FLEET"
		rm -rf "$data/fleet-$FLEET.part"
		mkdir "$data/fleet-$FLEET.part"
		"$work/gen" fleet "$data/fleet-$FLEET.part" "$FLEET" \
			--seed "$SEED" >"$data/fleet-$FLEET.txt"
		mv "$data/fleet-$FLEET.part" "$data/fleet-$FLEET"
	fi
}

# value KEY: of a line of key=value pairs; the median of all lines.
value() {
	tr ' ' '\n' | sed -n "s/^$1=//p" | sort -g |
		awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'
}

# pair OURS... -- PEER...: runs the two in turn, so that both meet the same
# neighbours; fills $run/ours and $run/peers with their lines. Fails if
# either does, so a broken run is a row without numbers.
pair() {
	: >"$run/ours"
	: >"$run/peers"
	ours=
	while [ "$1" != -- ]; do
		ours="$ours $1"
		shift
	done
	shift
	i=0
	while [ $i -lt "$runs" ]; do
		# no path here may have blanks
		$ours >>"$run/ours" || return 1
		[ $# -eq 0 ] || "$@" >>"$run/peers" || return 1
		i=$((i + 1))
	done
}

row() { echo "| $1 | $2 | $3 | $4 | $5 | $6 | $7 |"; }

# ratio JOB INPUT KEY OP GOAL: peer's KEY over ours ("x faster"), to be
# >= GOAL; OP "of" gives ours over the peer's, to be <= GOAL.
ratio() {
	a=$(value "$3" <"$run/ours")
	b=$(value "$3" <"$run/peers")
	awk -v a="${a:-0}" -v b="${b:-0}" -v op="$4" -v goal="$5" -v job="$1" \
	    -v in_="$2" -v key="$3" 'BEGIN {
		r = op == "of" ? (b > 0 ? a / b : 0) : (a > 0 ? b / a : 0)
		ok = op == "of" ? r > 0 && r <= goal : r >= goal
		printf "| %s | %s | %s=%s | %s=%s | %.2f | %s %s | %s |\n",
		    job, in_, key, a, key, b, r, op == "of" ? "<=" : ">=",
		    goal, ok ? "yes" : "NO"
	}'
}

# absolute JOB INPUT OURS OP GOAL UNIT: a goal without a peer.
absolute() {
	awk -v a="$3" -v op="$4" -v goal="$5" -v job="$1" -v in_="$2" \
	    -v unit="$6" 'BEGIN {
		ok = op == "<=" ? a > 0 && a <= goal : a >= goal
		printf "| %s | %s | %.3f %s | | | %s %s %s | %s |\n", job, in_,
		    a, unit, op, goal, unit, ok ? "yes" : "NO"
	}'
}

# speed FILE: GB/s of FILE's size by our median CPU time.
speed() {
	cpu=$(value cpu <"$run/ours")
	awk -v n="$(wc -c <"$1")" -v cpu="${cpu:-0}" \
		'BEGIN { print (cpu > 0 ? n / cpu / 1e9 : 0) }'
}

failed() { row "$1" "$2" failed "" "" "" NO; }

# Fewer runs and repetitions where one takes Go half a minute.
effort() {
	runs=$RUNS
	reps=10
	case $1 in
	large) reps=2 ;;
	medium) reps=5 ;;
	esac
}

job_parse() {
	for kind in $KINDS; do
		effort $kind
		f=$data/$kind.pb.gz
		goal=15
		[ $kind = small ] && goal=10
		pair "$driver" parse "$f" $reps -- \
			"$work/peer" parse "$f" $reps &&
			ratio "parse, warm" $kind cpu_mean x $goal ||
			failed "parse, warm" $kind
		pair "$driver" parse "$f" $reps -- \
			"$work/floor" inflate "$f" 5 &&
			ratio "parse, bare inflate" $kind cpu of 3 ||
			failed "parse, bare inflate" $kind
	done
}

job_process() {
	for kind in $KINDS; do
		case $kind in
		small) goal=5 ;;
		medium) goal=8 ;;
		*) goal=10 ;;
		esac
		effort $kind
		f=$data/$kind.pb.gz
		pair "$work/run_child" "$driver" parse "$f" 1 -- \
			"$work/run_child" "$work/peer" parse "$f" 1 || {
			failed "parse, new process" $kind
			continue
		}
		ratio "parse, new process" $kind wall x "$goal"
		[ $kind = small ] || ratio "peak memory" $kind rss_kb x 10
	done
}

job_write() {
	for kind in $KINDS; do
		effort $kind
		f=$data/$kind.pb.gz
		pair "$driver" write "$f" $reps -- \
			"$work/peer" write "$f" $reps || {
			failed write $kind
			continue
		}
		ratio write $kind cpu_mean x 6
		limit=0.75
		[ $kind = small ] && limit=1
		ratio "write, size" $kind size of $limit
	done
}

job_collapsed() {
	runs=$RUNS
	for kind in collapsed collapsed-sorted; do
		f=$data/$kind.txt
		pair "$driver" collapsed-read "$f" -- \
			perl "$here/collapse.pl" "$f" || {
			failed "collapsed read" $kind
			continue
		}
		absolute "collapsed read" $kind "$(speed "$f")" ">=" 1.5 GB/s
		ratio "collapsed read, perl" $kind cpu x 1
		pair "$driver" collapsed-write "$f" -- &&
			absolute "collapsed write" $kind "$(speed "$f")" \
				">=" 5 GB/s || failed "collapsed write" $kind
	done
}

job_raw() {
	runs=$RUNS
	f=$data/chunks.words
	pair "$driver" raw2pprof "$f" -- "$work/peer" dedupe "$f" || {
		failed "raw to pprof" chunks
		return
	}
	cpu=$(value cpu <"$run/ours")
	n=$(value records <"$run/peers")
	absolute "raw to pprof" chunks "$(awk -v n="$n" -v cpu="${cpu:-0}" \
		'BEGIN { print (cpu > 0 ? n / cpu / 1e6 : 0) }')" \
		">=" 4 "M rec/s"
	ratio "raw to pprof, Go's dedupe" chunks cpu x 2
}

job_yaml() {
	runs=$RUNS
	# our own YAML of medium is the input: there is no other writer of it
	f=$data/medium.yaml
	[ -e "$f" ] || "$profconv" -o "$f" "$data/medium.pb.gz" || {
		failed yaml medium
		return
	}
	pair "$driver" yaml-read "$f" -- "$work/floor" yaml "$f" 1 &&
		ratio "YAML read, bare libyaml" medium cpu of 1.5 ||
		failed "YAML read" medium
	pair "$driver" yaml-write "$f" -- &&
		absolute "YAML write" medium "$(awk -v g="$(speed "$f")" \
			'BEGIN { print g * 1000 }')" ">=" 200 MB/s ||
		failed "YAML write" medium
}

job_start() {
	runs=20
	pair "$work/run_child" "$profconv" --version -- || {
		failed "profconv --version" ""
		return
	}
	absolute "profconv --version" "" "$(value wall <"$run/ours" |
		awk '{ print $1 * 1000 }')" "<=" 3 ms
}

fleet() { find "$data/fleet-$FLEET" -name '*.pb.gz' | sort | head -n "$1"; }

merge_row() {
	n=$1 goal=$2
	[ "$n" -le "$FLEET" ] || return 0
	runs=$3
	pair "$work/run_child" "$driver" merge "$run/ours.pb.gz" \
		$(fleet "$n") -- "$work/run_child" "$work/peer" merge \
		"$run/peer.pb.gz" $(fleet "$n") || {
		failed merge "fleet $n"
		return
	}
	ratio merge "fleet $n" wall x "$goal"
	[ "$n" -lt 1000 ] || ratio "merge, memory" "fleet $n" rss_kb x 20
}

# Two threads against one, whole processes.
threads_row() {
	runs=3
	if [ "$cpus" -lt 2 ]; then
		row "merge, two threads" "" "" "" "" "" "no second CPU"
		return
	fi
	pair "$work/run_child" "$profmerge" --threads 2 -o \
		"$run/two.pb.gz" $(fleet 1000) -- "$work/run_child" \
		"$profmerge" --threads 1 -o "$run/one.pb.gz" $(fleet 1000) &&
		ratio "merge, two threads" "fleet $FLEET" wall x 1.6 ||
		failed "merge, two threads" "fleet $FLEET"
}

equal_row() {
	[ "$FLEET" -ge 100 ] || return 0
	"$driver" merge "$run/ours.pb.gz" $(fleet 100) >/dev/null &&
		"$work/peer" merge "$run/peer.pb.gz" \
			$(fleet 100) >/dev/null || {
		failed "merge, equality" "fleet 100"
		return
	}
	# the peer exits with 1 when they differ: that is a result
	"$work/peer" equal "$run/ours.pb.gz" "$run/peer.pb.gz" \
		>"$run/equal" || :
	n=$(value differ <"$run/equal")
	headers=$(value headers <"$run/equal")
	[ "${n:-1}" = 0 ] && [ "${headers:-1}" = 0 ] && ok=yes || ok=NO
	row "merge, equality" "fleet 100" "differ=$n headers=$headers" \
		"samples=$(value samples_b <"$run/equal")" "" "0" $ok
}

job_merge() {
	merge_row 10 10 "$RUNS"
	merge_row 100 10 3
	merge_row 1000 15 1
	equal_row
	threads_row
}

job_filter() {
	effort medium
	f=$data/medium.pb.gz
	for regex in 'Cache.*::query' 'libcache|Worker'; do
		pair "$driver" filter "$f" "$regex" $reps -- \
			"$work/peer" filter "$f" "$regex" $reps &&
			ratio "filter \`$(echo "$regex" | sed 's/|/\\|/g')\`" \
				medium cpu x 40 || failed filter medium
	done
	pair "$driver" compact "$f" $reps -- "$work/peer" compact "$f" $reps &&
		ratio compact medium cpu x 40 || failed compact medium
}

# The floor of everything, for the reader of the table; no goal.
job_memcpy() {
	row "memcpy" "150 MB" "$("$work/floor" memcpy | value mb_per_s) MB/s" \
		"" "" "" ""
}

# In a function, which sh reads whole: an edit meanwhile does no harm.
main() {
	build
	inputs
	# of its own, so that two runs can share WORK
	run=$(mktemp -d "$work/run.XXXXXX")
	trap 'rm -rf "$run"' EXIT
	trap 'exit 1' HUP INT TERM
	[ -n "$driver" ] || say "no bench_profile below $BUILD: rows will fail"
	[ $# -gt 0 ] || set -- memcpy parse process write collapsed raw yaml \
		start merge filter
	echo "| job | input | ours | peer | ratio | goal | ok |"
	echo "|---|---|---|---|---|---|---|"
	for job; do
		"job_$job"
	done
	exit
}

main "$@"
