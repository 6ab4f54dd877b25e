#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# The peer for reading collapsed stacks: what a flame graph script does with
# each line. Split it, give each name a number, add up its count.
# Prints key=value; gb_per_s is of text, by CPU time.
use strict;
use warnings;
use Time::HiRes qw(time);

my ($file) = @ARGV or die "usage: collapse.pl FILE\n";
my (%id, @self, $frames, $lines, $bytes, $total);
my $wall = time;
open my $in, '<:raw', $file or die "$file: $!\n";
while (my $line = <$in>) {
	$bytes += length $line;
	$lines++;
	my $at = rindex $line, ' ';
	my $count = substr $line, $at + 1;
	my $leaf = 0;
	for my $name (split /;/, substr $line, 0, $at) {
		$leaf = $id{$name} //= scalar keys %id;
		$frames++;
	}
	$self[$leaf] += $count;
	$total += $count;
}
my ($user, $system) = times;
my $cpu = $user + $system;
printf "job=collapse cpu=%.3f wall=%.3f bytes=%d lines=%d frames=%d "
    . "names=%d total=%d gb_per_s=%.3f\n", $cpu, time - $wall, $bytes,
    $lines, $frames, scalar keys %id, $total, $bytes / $cpu / 1e9;
