#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# profrec on a real program: profrec_test.sh PROFREC BUSY INSPECT
set -u
profrec=$1 busy=$2 inspect=$3
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failed=0

# check NAME COMMAND...: the command must succeed.
check() {
	name=$1
	shift
	if "$@"; then
		echo "ok $name"
	else
		echo "FAILED $name: $*"
		failed=1
	fi
}

# sum FILE KIND TYPE/UNIT: a total, 0 where there is none.
sum() {
	"$inspect" "$1" ${2:+"$2"} |
		awk -v t="$3" '$1 == "total" && $2 == t { s = $3 } END { printf "%.0f\n", s }'
}

# A busy program uses 0.2 * 2 + 0.05 + 0.025 s and a little more.
cpu_is_right() {
	ns=$(sum "$1" "" cpu/nanoseconds)
	[ "$ns" -ge 450000000 ] && [ "$ns" -le 900000000 ]
}

# ---- However it ends, nothing is lost and the exit code is its own ----
for row in return:0 exit:3 _exit:4 abort:134 kill:137; do
	end=${row%:*} want=${row#*:}
	"$profrec" -q --cpu=500 -o "$end.pb.gz" -- "$busy" "$end" 2>err
	code=$?
	check "$end: exit code $code" [ "$code" -eq "$want" ]
	check "$end: CPU time" cpu_is_right "$end.pb.gz"
done

# ---- Exec: both images, and the new one is not killed by our signal ----
"$profrec" -q --cpu=1000 -o exec.pb.gz -- "$busy" exec >out
check "exec: exit code" [ $? -eq 0 ]
check "exec: output" [ "$(cat out)" = replaced ]
check "exec: before" cpu_is_right exec.before-exec.pb.gz
check "exec: after" [ -s exec.pb.gz ]
# Each of many images keeps its file.
cat >again <<'EOF'
n=${1:-0} i=0
while [ $i -lt 100000 ]; do i=$((i + 1)); done
[ "$n" -ge 3 ] || exec sh again $((n + 1))
EOF
for output in again.pb.gz again.raw; do
	kind=
	[ $output = again.pb.gz ] || kind=cpu
	"$profrec" -q --cpu=1000 -o "$output" -- sh again
	for nth in .before-exec .before-exec2 .before-exec3 ""; do
		file=again$nth${output#again}
		check "exec again: $file" \
			[ "$(sum "$file" "$kind" cpu/nanoseconds)" -gt 0 ]
	done
done
"$profrec" -q --cpu=1000 -o shell.pb.gz -- sh -c 'exec "$0"' "$busy"
check "shell exec" cpu_is_right shell.pb.gz
# One sample in a second of CPU time: the shell has none.
"$profrec" -q --cpu=1 -o brief.pb.gz -- sh -c 'exec "$0"' /bin/true
check "nothing of the shell" [ ! -e brief.before-exec.pb.gz ]

# ---- Children ----
"$profrec" -q --cpu=500 -o alone.pb.gz -- "$busy" fork
check "a child is not ours" [ "$(ls alone*.pb.gz | wc -l)" -eq 1 ]
check "alone: CPU time" cpu_is_right alone.pb.gz
"$profrec" -q --cpu=500 --follow-children -o both.pb.gz -- "$busy" fork
check "a child has a file" [ "$(ls both*.pb.gz | wc -l)" -eq 2 ]
for file in both*.pb.gz; do
	check "$file: CPU time" cpu_is_right "$file"
done

# ---- Kinds ----
"$profrec" -q --cpu --heap=1 --block --mutex --threadcreate --fd \
	-o all.raw -- "$busy"
check "raw: heap" [ "$(sum all.raw heap inuse_space/bytes)" -ge 2097152 ]
check "raw: block" [ "$(sum all.raw block delay/nanoseconds)" -gt 1000000 ]
check "raw: mutex" [ "$(sum all.raw mutex delay/nanoseconds)" -gt 1000000 ]
check "raw: threads" [ "$(sum all.raw threadcreate threadcreate/count)" -eq 4 ]
check "raw: fd" [ "$(sum all.raw fd fd/count)" -eq 1 ]
# Two threads compute for 0.2 s each while others wait, by any clock.
"$profrec" -q --wall=500 -o wall.pb.gz -- "$busy"
check "wall" [ "$(sum wall.pb.gz "" wall/nanoseconds)" -ge 400000000 ]
check "wall: samples" [ "$(sum wall.pb.gz "" samples/count)" -ge 20 ]
for row in kill:137 exec:0; do
	end=${row%:*} want=${row#*:}
	"$profrec" -q --wall=1000 --cpu=1000 -o "wall-$end.raw" -- "$busy" \
		"$end" >out 2>err
	check "wall, $end" [ $? -eq "$want" ]
done
check "wall, kill: time" \
	[ "$(sum wall-kill.raw wall wall/nanoseconds)" -ge 400000000 ]
check "wall, exec: time" \
	[ "$(sum wall-exec.before-exec.raw wall wall/nanoseconds)" -ge 400000000 ]
"$profrec" -q --heap --mutex -o two.pb.gz -- "$busy"
check "a file for each kind" [ -s two.heap.pb.gz -a -s two.mutex.pb.gz ]

# ---- What is in it ----
"$profrec" -q --cpu=1000 --label request=42 --label k=v -o 'l.%p.pb.gz' -- \
	"$busy"
"$inspect" l.[0-9]*.pb.gz >facts
check "%p" [ -s facts ]
check "labels" grep -q "^label request=42 " facts
check "threads inherit labels" [ "$(awk '/^label k=v/ { s += $3 }
	END { print (s > 300) }' facts)" -eq 1 ]
check "the program is mapped" grep -q "^mapping .*/busy id" facts
check "all addresses are mapped" grep -q "^unmapped 0" facts
"$profrec" -q --source=timer -o timer.pb.gz -- "$busy"
check "timers" cpu_is_right timer.pb.gz

# ---- The program is left alone ----
check "input and output" [ "$(echo text | "$profrec" -q cat)" = text ]
check "stderr" [ -z "$("$profrec" -q -- sh -c 'exit 0' 2>&1)" ]
"$profrec" -q sh -c 'kill -TERM $$'
check "signals" [ $? -eq 143 ]
"$profrec" -q --duration=0.05 -o short.pb.gz -- "$busy" return 0.3
check "duration: exit code" [ $? -eq 0 ]
check "duration: less CPU time" \
	[ "$(sum short.pb.gz "" cpu/nanoseconds)" -lt 500000000 ]
"$profrec" --cpu=500 -o said.pb.gz -- "$busy" 2>err
check "says what it got" grep -q "samples of [0-9]* threads, 0 lost" err
check "says where" grep -q "cpu profile in said.pb.gz" err
check "says the hottest" grep -q "[0-9] %  compute" err
check "says what next" grep -q "next: profreport top said.pb.gz" err
"$profrec" --cpu=1 --fd -o none.pb.gz -- true 2>err
check "says what is empty" grep -q "fd profile in none.fd.pb.gz (empty)" err
check "nothing next to look at" [ "$(grep -c next: err)" -eq 0 ]

# ---- A dump while it runs ----
"$profrec" -q --cpu=500 --heap=1 --thread -o dump.raw -- "$busy" return 2 &
tries=0 pid=
while [ -z "$pid" ] && [ $tries -lt 100 ]; do
	sleep 0.1
	pid=$(cut -d " " -f 1 2>/dev/null <"/proc/$!/task/$!/children")
	tries=$((tries + 1))
done
# Until it has filled its table, which a loaded machine takes its time for.
n=0 heap=0
while [ "$heap" -lt 2097152 ] && [ $n -lt 10 ]; do
	sleep 0.5
	n=$((n + 1))
	"$profrec" --dump="$pid" 2>err || break
	heap=$(sum dump.dump$n.heap.pb.gz "" inuse_space/bytes)
done
check "dump: says where" grep -q "heap profile in dump.dump$n.heap.pb.gz" err
wait $!
check "dump: CPU" [ "$(sum dump.dump$n.cpu.pb.gz "" cpu/nanoseconds)" -gt 0 ]
check "dump: heap" [ "$heap" -ge 2097152 ]
check "dump: the rest" [ "$(sum dump.raw cpu cpu/nanoseconds)" -gt \
	"$(sum dump.dump$n.cpu.pb.gz "" cpu/nanoseconds)" ]
check "dump: threads" \
	[ "$(sum dump.dump$n.thread.pb.gz "" thread/count)" -ge 3 ]
check "threads at the exit" [ "$(sum dump.raw thread thread/count)" -eq 1 ]
for end in return _exit; do
	"$profrec" --thread -o thread.pb.gz -- "$busy" $end 2>err
	check "threads, $end: a leaf" grep -q "100.0 %" err
	check "threads, $end: not ours" \
		[ "$(grep -c "thread_table\|preload" err)" -eq 0 ]
done
"$profrec" --dump=1 2>err
check "dump of another" [ $? -eq 1 ]

# ---- Refusals ----
printf '#!%s -u\n' "$dir/absent" >script
chmod +x script
"$profrec" -o absent/out.pb.gz -- touch started 2>err
check "no such directory" [ $? -eq 1 ]
check "no such directory: why" grep -q "cannot write absent/out.pb.gz" err
"$profrec" -o "$dir" -- touch started 2>err
check "a directory for a file" [ $? -eq 1 ]
check "nothing was started" [ ! -e started ]
for file in o.yaml o.txt o.collapsed o.speedscope.json; do
	"$profrec" -o $file -- touch started 2>err
	check "$file is not pprof" [ $? -eq 1 -a ! -e started -a ! -e $file ]
	check "$file: why" grep -q "profconv makes" err
done
"$profrec" ./absent 2>err
check "not there" [ $? -eq 127 ]
"$profrec" ./script 2>err
check "no interpreter" [ $? -eq 127 ]
"$profrec" --cpu=0 true 2>err
check "a bad rate" [ $? -eq 2 ]
"$profrec" 2>err
check "no command" [ $? -eq 2 ]
if [ -n "${4:-}" ]; then
	"$profrec" "$4" 2>err
	check "static: exit code" [ $? -eq 126 ]
	check "static: why" grep -q "statically linked" err
fi
# The head of a 32-bit program for the same loader.
{ printf '\177ELF\001\001\001'; head -c 200 /dev/zero; } >narrow
chmod +x narrow
"$profrec" ./narrow 2>err
check "32-bit: exit code" [ $? -eq 126 ]
check "32-bit: why" grep -q "is a 32-bit program" err
# Another user's rights: that of nobody for root, of root for the others.
cp /bin/true setuid
if [ "$(id -u)" -eq 0 ]; then
	chown 65534 setuid && chmod 4755 setuid
	"$profrec" ./setuid 2>err
	check "setuid: exit code" [ $? -eq 126 ]
	check "setuid: why" grep -q "rights of another user" err
fi
exit $failed
