#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The sampler's goals in figures: run.sh BUILD, where BUILD is a build
# directory. Instruction counts are exact; ratios hold on a quiet machine.
set -eu
build=$(realpath "$1") here=$(dirname "$0")
preload=$build/libprofile/libprofile-preload.so
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cc=${CC:-cc}
include=$here/../../../include

$cc -O2 -g -D_GNU_SOURCE -I"$include" "$here/accuracy.c" -o "$dir/accuracy" \
	"$preload" -Wl,-rpath,"$build/libprofile" -lpthread
echo "== CPU: weights against clocks, as $(id -un)"
for source in auto timer; do
	"$dir/accuracy" $source 1000
done
if [ "$(id -u)" -eq 0 ]; then
	echo "== as nobody"
	chmod 755 "$dir"
	setpriv --reuid=65534 --clear-groups "$dir/accuracy" auto 1000
fi


build_with_preload() {
	$cc -O2 -g -D_GNU_SOURCE -I"$include" "$here/$1.c" -o "$dir/$1" \
		"$preload" -Wl,-rpath,"$build/libprofile" -lpthread -lm
}
build_with_preload shares
echo "== CPU: samples of leaves to their time"
for hz in 100 1000 4000; do
	"$dir/shares" auto $hz
done

build_with_preload sites
echo "== heap: 20 runs together, estimate to truth and its error in sigmas"
for rate in 65536 524288; do
	seq 20 | while read -r _; do
		"$dir/sites" $rate
	done | awk -v rate=$rate '
		{ for (i = 2; i < 8; i++) sum[$1, i] += $i; sites[$1] }
		function say(s, what, i) {
			error = sum[s, i + 1] - sum[s, i]
			z = error / sqrt(sum[s, i + 2])
			beyond += z > 2 || z < -2
			printf "%6d %s %-5s %.4f %6.2f\n", rate, s, what,
			       sum[s, i + 1] / sum[s, i], z
		}
		END {
			for (s in sites) {
				say(s, "all", 2)
				say(s, "live", 5)
			}
			print rate, "beyond 2 sigma:", beyond + 0
		}' | sort
done

$cc -O2 -fomit-frame-pointer -D_GNU_SOURCE -I"$include" \
	"$here/overhead.c" -o "$dir/overhead" "$preload" \
	-Wl,-rpath,"$build/libprofile"
echo "== CPU: time of sampled work to that of the same work alone"
"$dir/overhead"

cat >"$dir/pair.c" <<'END'
#include <stdlib.h>
int main(int c, char **v)
{
	for (int i = 0, n = atoi(v[c - 1]); i < n; i++) {
		void *p = malloc(64);
		__asm__ volatile("" ::"r"(p) : "memory");
		free(p);
	}
}
END
cat >"$dir/rate.c" <<'END'
#include <profile/sampler.h>
__attribute__((constructor(500))) static void on(void)
{
	prof_set_mem_rate(524288);
	prof_set_block_rate(1);
	prof_set_mutex_fraction(1);
}
END
$cc -O2 "$dir/pair.c" -o "$dir/pair"
$cc -O2 -shared -fPIC -I"$include" "$dir/rate.c" -o "$dir/rate.so"
instructions() {
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 |
		awk '/Collected/ { print $NF }'
}
pair() {
	few=$(LD_PRELOAD=$1 instructions "$dir/pair" 100000)
	many=$(LD_PRELOAD=$1 instructions "$dir/pair" 1100000)
	awk -v a="$few" -v b="$many" 'BEGIN { print (b - a) / 1e6 }'
}
echo "== heap: instructions for malloc(64) and free"
echo "alone    $(pair "")"
echo "idle     $(pair "$preload")"
echo "512 KiB  $(pair "$preload:$dir/rate.so")"

cat >"$dir/lock.c" <<'END'
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
static void *idle(void *p) { pause(); return p; }
int main(int c, char **v)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	struct timespec a, b;
	double best = 1e9;
	pthread_t t;
	if (c > 1 && v[1])
		pthread_create(&t, 0, idle, 0);
	for (int k = 0; k < 300; k++) {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		for (int i = 0; i < 50000; i++) {
			pthread_mutex_lock(&m);
			pthread_mutex_unlock(&m);
		}
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		double d = (b.tv_sec - a.tv_sec) * 1e9 + b.tv_nsec - a.tv_nsec;
		if (d / 5e4 < best)
			best = d / 5e4;
	}
	printf("%.2f\n", best);
}
END
$cc -O2 "$dir/lock.c" -o "$dir/lock" -lpthread
echo "== locks: ns for an uncontended lock and unlock, one thread; two"
echo "alone    $("$dir/lock") $("$dir/lock" 2)"
for how in "idle    :" "on      :$dir/rate.so"; do
	echo "${how%%:*} $(LD_PRELOAD=$preload:${how#*:} "$dir/lock")" \
	     "$(LD_PRELOAD=$preload:${how#*:} "$dir/lock" 2)"
done

echo 'int main(void) { return 0; }' >"$dir/nothing.c"
$cc -O2 "$dir/nothing.c" -o "$dir/nothing"
echo "== start: instructions of a program that does nothing"
echo "alone    $(instructions "$dir/nothing")"
echo "preload  $(LD_PRELOAD=$preload instructions "$dir/nothing")"

if pkg-config --exists libunwind; then
	echo "== unwinding: ns for a frame"
	sources=$here/../../../libprofile/sampler
	$cc -O3 -std=gnu11 -ftls-model=initial-exec -D_GNU_SOURCE \
		-I"$include" -I"$here/../../../libprofile" "$here/unwind.c" \
		"$sources/cfi.c" "$sources/cfi_step.c" "$sources/unwind.c" \
		"$sources/modules.c" "$sources/loader_glibc.c" "$sources/memory_range.c" \
		-o "$dir/unwind" -Wl,--no-as-needed -lgcc_s -lunwind
	"$dir/unwind"
fi
