/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYMBOLIZE_RELOCATE_H
#define SYMBOLIZE_RELOCATE_H

/*
 * Object files and kernel modules (ET_REL): their debugging information has
 * holes where addresses and offsets will be.
 */

#include "symbolize/elf.h"

/*
 * Fills in what the relocations of a section say (i386, x86-64, aarch64), the
 * first time it is called for it; its content becomes memory of its own. Those
 * of other kinds, or outside of something, change nothing. Nothing happens in
 * files of other types. No memory: the section stays as it is.
 */
void elf_relocate(const struct elf *elf, struct elf_section *section);

#endif
