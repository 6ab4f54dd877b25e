# SPDX-License-Identifier: Apache-2.0
#
# Writes a C file with the contents of text files as strings:
#	cmake -DOUT=page.c -DHEADER=report/page.h -DFILES=a.html,b.css
#	      -P embed.cmake
# page.html becomes the array page_html, with a '\0' at its end.
string(REPLACE "," ";" FILES "${FILES}")
set(text "/* Made by cmake/embed.cmake. */\n#include \"${HEADER}\"\n")
foreach(file ${FILES})
	get_filename_component(name ${file} NAME)
	string(MAKE_C_IDENTIFIER ${name} name)
	file(READ ${file} bytes HEX)
	string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes
	       "${bytes}")
	string(REGEX REPLACE "(......................................................................)"
	       "\\1\n" bytes "${bytes}")
	string(APPEND text "\nconst char ${name}[] = {\n${bytes}0\n};\n")
endforeach()
file(WRITE ${OUT} "${text}")
