# SPDX-License-Identifier: Apache-2.0
#
# Writes a C file with the contents of text files as strings:
#	cmake -DOUT=page.c -DHEADER=report/page.h
#	      -DFILES=page.html=a.html,page.js=b.js+c.js -P embed.cmake
# page.js becomes the array page_js: its files one after the other, without
# block comments and indentation, and with a '\0' at its end.
string(REPLACE "," ";" FILES "${FILES}")
set(text "/* Made by cmake/embed.cmake. */\n#include \"${HEADER}\"\n")
foreach(entry ${FILES})
	string(REGEX REPLACE "=.*" "" name "${entry}")
	string(REGEX REPLACE "^[^=]*=" "" parts "${entry}")
	string(REPLACE "+" ";" parts "${parts}")
	set(plain "")
	foreach(part ${parts})
		file(READ ${part} content)
		string(REGEX REPLACE "/\\*([^*]|\\*+[^*/])*\\*+/" "" content
		       "${content}")
		string(REGEX REPLACE "[ \t]*\n[ \t\n]*" "\n" content
		       "${content}")
		string(APPEND plain "${content}")
	endforeach()
	file(WRITE ${OUT}.part "${plain}")
	file(READ ${OUT}.part bytes HEX)
	file(REMOVE ${OUT}.part)
	string(MAKE_C_IDENTIFIER ${name} name)
	string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes
	       "${bytes}")
	string(REGEX REPLACE "(......................................................................)"
	       "\\1\n" bytes "${bytes}")
	string(APPEND text "\nconst char ${name}[] = {\n${bytes}0\n};\n")
endforeach()
file(WRITE ${OUT} "${text}")
