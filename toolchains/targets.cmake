# SPDX-License-Identifier: Apache-2.0
#
# How a folder becomes a target: fieldpost_library, fieldpost_program, fieldpost_test.
include_guard(GLOBAL)

# fieldpost_library(fieldpost_platform SOURCES clock.cpp ... LINKS deps::expected deps::sqlite)
#
# A static library that includes from the root of the tree ("platform/clock.hpp") and bears our warnings; fieldpost::platform
# is its other name. What it links of ours is public, for our headers include each other; a third party stays private, for its
# headers appear only in a .cpp (DESIGN section 2). deps::expected and deps::fmt, which our headers use, are the exceptions;
# PUBLIC_LINKS makes another one and wants a sentence beside it.
function(fieldpost_library name)
  cmake_parse_arguments(PARSE_ARGV 1 given "" "" "SOURCES;LINKS;PUBLIC_LINKS")
  _fieldpost_check_arguments(fieldpost_library ${name})
  add_library(${name} STATIC ${given_SOURCES})
  string(REGEX REPLACE "^fieldpost_" "fieldpost::" alias ${name})
  add_library(${alias} ALIAS ${name})
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${FIELDPOST_WARNINGS} ${FIELDPOST_OWN_FLAGS}>)
  foreach(link IN LISTS given_LINKS)
    if(link MATCHES "^deps::" AND NOT link MATCHES "^deps::(expected|fmt)$")
      target_link_libraries(${name} PRIVATE ${link})
    else()
      target_link_libraries(${name} PUBLIC ${link})
    endif()
  endforeach()
  target_link_libraries(${name} PUBLIC ${given_PUBLIC_LINKS})
endfunction()

# fieldpost_program(fieldpost SOURCES main.cpp LINKS fieldpost::link ...): an executable, with a link map beside it.
function(fieldpost_program name)
  cmake_parse_arguments(PARSE_ARGV 1 given "" "" "SOURCES;LINKS")
  _fieldpost_check_arguments(fieldpost_program ${name})
  add_executable(${name} ${given_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${FIELDPOST_WARNINGS} ${FIELDPOST_OWN_FLAGS}>)
  target_link_libraries(${name} PRIVATE ${given_LINKS})
  if(FIELDPOST_PROFILE STREQUAL "release")
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/toolchains/terminate.cpp ${PROJECT_SOURCE_DIR}/toolchains/libc_cuts.cpp)
    fieldpost_catches(${PROJECT_SOURCE_DIR}/toolchains/terminate.cpp)
    _fieldpost_cut_libc(${name})
    target_link_options(${name} PRIVATE LINKER:-Map=$<TARGET_FILE:${name}>.map)
  endif()
endfunction()

# fieldpost_test(outbox_test SOURCES outbox_test.cpp LINKS fieldpost::store): one GoogleTest program and one ctest of its name.
# Files of captured trees and golden outputs are found below FIELDPOST_TESTS_DIRECTORY.
function(fieldpost_test name)
  if(NOT FIELDPOST_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 given "" "" "SOURCES;LINKS")
  _fieldpost_check_arguments(fieldpost_test ${name})
  add_executable(${name} ${given_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${FIELDPOST_WARNINGS}>)
  if(NOT FIELDPOST_PROFILE STREQUAL "release")
    # The test's own lines need no optimising: a third of the time to compile (5.6 to 2.0 s with sanitizers).
    target_compile_options(${name} PRIVATE -O0)
  endif()
  target_compile_definitions(${name} PRIVATE FIELDPOST_TESTS_DIRECTORY="${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${name} PRIVATE ${given_LINKS} deps::gtest)
  add_test(NAME ${name} COMMAND ${name})
  # One result file a program, which ./dev adds up; a program that died leaves none and counts as one failure. The label says that
  # the test is a target of its own name, which a stage may build alone (toolchains/selection.py).
  set_tests_properties(${name} PROPERTIES TIMEOUT 300 LABELS program
    ENVIRONMENT "GTEST_OUTPUT=xml:${PROJECT_BINARY_DIR}/results/${name}.xml;UBSAN_OPTIONS=print_stacktrace=1;ASAN_OPTIONS=detect_stack_use_after_return=1;TSAN_OPTIONS=second_deadlock_stack=1")
endfunction()

# libc_cuts.cpp says what these are. It must show the linker its names, and its loops must not become calls of themselves.
function(_fieldpost_cut_libc name)
  set_property(SOURCE ${PROJECT_SOURCE_DIR}/toolchains/libc_cuts.cpp PROPERTY COMPILE_OPTIONS -fno-lto -fno-builtin)
  foreach(symbol IN ITEMS __isoc99_sscanf __dcgettext __fxprintf strftime _dl_init_paths strncmp strcasecmp strncasecmp
                          __strcasecmp __strncasecmp __strcasecmp_l __strncasecmp_l)
    target_link_options(${name} PRIVATE LINKER:--wrap=${symbol})
  endforeach()
  foreach(symbol IN ITEMS __wcsmbs_load_conv __printf_fphex _dl_open _dl_close _dl_map_object
                          __wcsrtombs __mbsrtowcs __wcrtomb __mbrtowc __btowc btowc wcrtomb mbrtowc)
    target_link_options(${name} PRIVATE LINKER:--wrap=${symbol} LINKER:--defsym=__wrap_${symbol}=fieldpost_not_in_this_program)
  endforeach()
endfunction()

function(_fieldpost_check_arguments function name)
  if(given_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${function}(${name}): '${given_UNPARSED_ARGUMENTS}' stands before SOURCES or LINKS")
  elseif(NOT given_SOURCES)
    message(FATAL_ERROR "${function}(${name}): SOURCES is empty")
  endif()
endfunction()

# fieldpost_catches(mqtt_client_paho.cpp): files in which a third party's exception ends; all others are built without. They stay out of
# link-time optimisation, which would give all of our code the tables that only these need.
function(fieldpost_catches)
  set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS -fexceptions -funwind-tables $<$<BOOL:${CMAKE_INTERPROCEDURAL_OPTIMIZATION}>:-fno-lto>)
endfunction()
