# SPDX-License-Identifier: Apache-2.0
#
# Compiler and linker flags, each with its reason. Two kinds: FIELDPOST_COMMON_* go into our code and into every dependency
# built from source; FIELDPOST_WARNINGS only into our own code.
#
# FIELDPOST_PROFILE says what a build is for:
#   debug    ASan and UBSan, dynamic libc (ASan needs it), -Og so that traces stay readable and tests quick
#   tsan     ThreadSanitizer instead; the two cannot share a process
#   release  the binary that is shipped: static, -Os, hardened, stripped
include_guard(GLOBAL)

set(FIELDPOST_PROFILE "debug" CACHE STRING "debug, tsan or release (see toolchains/flags.cmake)")
set_property(CACHE FIELDPOST_PROFILE PROPERTY STRINGS debug tsan release)
if(NOT FIELDPOST_PROFILE MATCHES "^(debug|tsan|release)$")
  message(FATAL_ERROR "FIELDPOST_PROFILE is '${FIELDPOST_PROFILE}'; choose debug, tsan or release")
endif()

# Debian's name of the target: it picks Paho's archive. A toolchain file sets it; without one it is this machine.
if(NOT FIELDPOST_TARGET)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64)$")
    set(FIELDPOST_TARGET amd64)
  elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
    set(FIELDPOST_TARGET arm64)
  elseif(CMAKE_SYSTEM_PROCESSOR STREQUAL "riscv64")
    set(FIELDPOST_TARGET riscv64)
  else()
    message(FATAL_ERROR "No target is known for processor '${CMAKE_SYSTEM_PROCESSOR}'; choose a preset (cmake --list-presets)")
  endif()
endif()

set(FIELDPOST_COMMON_FLAGS
  -ffunction-sections -fdata-sections   # with --gc-sections: only what is called gets into the binary
  -fstack-protector-strong              # a smashed stack ends the process instead of steering it
  -fstack-clash-protection              # a large frame cannot jump over the guard page
  -fno-strict-aliasing                  # parsers of wire formats, ours and theirs, are full of casts; costs nothing measurable
  -fno-common)
set(FIELDPOST_COMMON_DEFINITIONS)
set(FIELDPOST_LINK_FLAGS -Wl,--gc-sections)

if(FIELDPOST_TARGET STREQUAL "amd64")
  list(APPEND FIELDPOST_COMMON_FLAGS -fcf-protection)              # indirect jumps land only where the compiler meant
elseif(FIELDPOST_TARGET STREQUAL "arm64")
  list(APPEND FIELDPOST_COMMON_FLAGS -mbranch-protection=standard) # the same, and signed return addresses; no-ops on old cores
elseif(FIELDPOST_TARGET MATCHES "^(armhf|armel)$")
  # -fstack-clash-protection is not implemented for 32-bit ARM in g++ 12 and warns.
  list(REMOVE_ITEM FIELDPOST_COMMON_FLAGS -fstack-clash-protection)
  # time_t of 32 bits ends in 2038, inside a gateway's life. Paho's archive of Debian 13 is built the same way.
  list(APPEND FIELDPOST_COMMON_DEFINITIONS _TIME_BITS=64 _FILE_OFFSET_BITS=64)
endif()

if(FIELDPOST_PROFILE STREQUAL "release")
  # No PIE: the issue of a static binary is "no interpreter and no dynamic section", and static-pie has one and costs 130 KB
  # on aarch64. What that gives up is a random address of the code itself; stack, heap and libraries' place stay random.
  list(APPEND FIELDPOST_COMMON_FLAGS -Os -fno-pie)
  list(APPEND FIELDPOST_COMMON_DEFINITIONS _FORTIFY_SOURCE=2)      # checked memcpy, sprintf ...; glibc wants optimisation for it
  list(APPEND FIELDPOST_LINK_FLAGS -static -no-pie -Wl,--strip-all -Wl,-z,noexecstack -Wl,-z,relro -Wl,-z,now
       -Wl,--build-id=sha1 -Wl,-T,${CMAKE_CURRENT_LIST_DIR}/unwind.ld)
else()
  # -Og and -g1 (functions and lines, which a trace shows; no variables) compile in less than half of the time of -O1 -g: with
  # sanitizers mqtt_link.cpp takes 3.8 s instead of 9.0, segment_builder.cpp 2.8 instead of 11.4. With a debugger in hand, put -g here.
  list(APPEND FIELDPOST_COMMON_FLAGS -Og -g1 -fno-omit-frame-pointer)
endif()

# The same tree gives the same bytes wherever it lies (reproducible builds; also no path of a build machine in a message).
list(APPEND FIELDPOST_COMMON_FLAGS "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")

# Sanitizers only in our own code, except ThreadSanitizer, which takes uninstrumented synchronisation for a race.
set(FIELDPOST_SANITIZER_FLAGS)
if(FIELDPOST_PROFILE STREQUAL "debug")
  set(FIELDPOST_SANITIZER_FLAGS -fsanitize=address,undefined -fno-sanitize-recover=all -fsanitize=float-divide-by-zero
      -fsanitize=float-cast-overflow)
elseif(FIELDPOST_PROFILE STREQUAL "tsan")
  set(FIELDPOST_SANITIZER_FLAGS -fsanitize=thread)
endif()

# Our own code throws nothing and lets nothing be thrown through it (STYLE): what libstdc++ would throw ends the process either way.
# Without landing pads and, in release, without the tables of an unwinding that never comes, the binary is smaller.
# The few files that catch a third party's exception say so with fieldpost_catches().
set(FIELDPOST_OWN_FLAGS -fno-exceptions)
if(FIELDPOST_PROFILE STREQUAL "release")
  list(APPEND FIELDPOST_OWN_FLAGS -fno-unwind-tables -fno-asynchronous-unwind-tables
       "SHELL:-include ${CMAKE_CURRENT_LIST_DIR}/extern_string.hpp")
endif()

# Warnings are errors unless someone is in the middle of something.
option(FIELDPOST_WERROR "Treat warnings in our own code as errors" ON)
set(FIELDPOST_WARNINGS
  -Wall -Wextra
  -Wshadow               # a name that hides another is a bug waiting for its second reader
  -Wconversion           # sizes from outside are narrowed on purpose or not at all
  -Wsign-conversion
  -Wnon-virtual-dtor -Woverloaded-virtual
  -Wold-style-cast       # not -Wuseless-cast: uint64_t to size_t is needed on 32 bits, size_t to uint32_t on 64
  -Wformat=2 -Wimplicit-fallthrough -Wswitch-enum
  -Wundef -Wvla -Wcast-qual -Wcast-align
  -Wduplicated-cond -Wduplicated-branches -Wlogical-op
  -Wno-psabi)            # notes on changes between gcc 6 and 7 on ARM: everything here is built by one compiler
if(FIELDPOST_WERROR)
  list(APPEND FIELDPOST_WARNINGS -Werror)
endif()
