# SPDX-License-Identifier: Apache-2.0
#
# The two libraries that are made of the objects, and how they are installed.

# ---- libprofile.so ----
add_library(profile_shared SHARED $<TARGET_OBJECTS:profile_objects>)
target_link_libraries(profile_shared PRIVATE profile_flags ${libraries})
target_link_options(profile_shared PRIVATE
	-Wl,--version-script=${CMAKE_CURRENT_SOURCE_DIR}/libprofile.map
	-Wl,--as-needed)
if(NOT PROFILE_SANITIZE AND NOT PROFILE_FUZZ)
	# Sanitizers leave their functions to the program.
	target_link_options(profile_shared PRIVATE -Wl,--no-undefined)
endif()
set_target_properties(profile_shared PROPERTIES
	OUTPUT_NAME profile
	VERSION ${PROJECT_VERSION}
	SOVERSION 0
	LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/libprofile.map)

# ---- libprofile.a ----
# One object of all, so that what is private to the library can be made local
# in it: a program may have functions of the same names.
set(whole ${CMAKE_CURRENT_BINARY_DIR}/libprofile.o)
add_custom_command(OUTPUT ${whole}
	COMMAND ${CMAKE_LINKER} -r -o ${whole}
	        $<TARGET_OBJECTS:profile_objects>
	COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${whole}
	DEPENDS profile_objects $<TARGET_OBJECTS:profile_objects>
	COMMAND_EXPAND_LISTS VERBATIM)
set_source_files_properties(${whole} PROPERTIES
	EXTERNAL_OBJECT TRUE GENERATED TRUE)
add_library(profile_static STATIC ${whole})
target_link_libraries(profile_static PRIVATE ${libraries})
set_target_properties(profile_static PROPERTIES
	OUTPUT_NAME profile
	LINKER_LANGUAGE C)

# ---- For those who link ----
foreach(library profile_shared profile_static)
	target_include_directories(${library} INTERFACE
		$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
		$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
	add_library(libprofile::${library} ALIAS ${library})
endforeach()
if(DEFINED BUILD_SHARED_LIBS AND NOT BUILD_SHARED_LIBS)
	add_library(libprofile::profile ALIAS profile_static)
else()
	add_library(libprofile::profile ALIAS profile_shared)
endif()

if(NOT PROFILE_INSTALL)
	return()
endif()

# ---- Installation ----
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/libprofile)

install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/profile
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT dev
        FILES_MATCHING PATTERN "*.h")
foreach(kind shared static)
	install(TARGETS profile_${kind} EXPORT ${kind}
	        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
	                COMPONENT runtime NAMELINK_COMPONENT dev
	        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
	install(EXPORT ${kind} FILE libprofile-${kind}.cmake
	        NAMESPACE libprofile:: DESTINATION ${package_dir}
	        COMPONENT dev)
endforeach()

# The modules of pkg-config that the build was made with, for static use.
set(modules)
set(requires zlib)
set(names)
foreach(library IN LISTS libraries)
	if(library MATCHES "^PkgConfig::(.*)$")
		set(module ${CMAKE_MATCH_1})
		list(APPEND modules ${module})
		list(APPEND requires ${${module}_MODULE_NAME})
		string(APPEND names "set(libprofile_module_${module} "
		       "${${module}_MODULE_NAME})\n")
	endif()
endforeach()
list(JOIN requires ", " requires)
list(JOIN modules " " modules)

# Where the prefix is, seen from the folder of the .pc file.
file(RELATIVE_PATH up_to_prefix
     "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" up_to_prefix "${up_to_prefix}")
configure_file(libprofile.pc.in libprofile.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/libprofile.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)

configure_package_config_file(libprofile-config.cmake.in
	libprofile-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(libprofile-config-version.cmake
	COMPATIBILITY SameMinorVersion)
install(FILES
	${CMAKE_CURRENT_BINARY_DIR}/libprofile-config.cmake
	${CMAKE_CURRENT_BINARY_DIR}/libprofile-config-version.cmake
	DESTINATION ${package_dir} COMPONENT dev)
