/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_RELOCATE_H
#define SYMBOLIZE_RELOCATE_H

/*
 * Object files and kernel modules (ET_REL): their sections have no addresses
 * yet, and their debugging information has holes where addresses and offsets
 * will be.
 */

#include "symbolize/elf.h"

/*
 * Gives the code its addresses from 0 on, as the kernel does with a module:
 * one section behind the other, aligned, without those of .init, which are
 * loaded elsewhere.
 */
void elf_lay_out(struct elf *elf);

/*
 * Fills in what the relocations of a section say (i386, x86-64, aarch64); its
 * content becomes memory of its own. Those of other kinds, or outside of
 * something, change nothing. No memory: the section stays as it is.
 */
void elf_relocate(const struct elf *elf, struct elf_section *section);

#endif
