/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_DISASSEMBLER_H
#define CMD_DISASSEMBLER_H

#include <profile/report.h>
#include <profile/symbolize.h>

/*
 * Binaries taken apart by the programs nm and objdump of binutils. options
 * (of where binaries are) is borrowed.
 */
struct prof_disassembler
disassembler(const struct prof_symbolize_options *options);

#endif
