# SPDX-License-Identifier: Apache-2.0
#
# The third-party libraries as targets: deps::mbedtls deps::sqlite deps::cjson deps::zstd deps::fmt deps::asio
# deps::tomlplusplus deps::expected deps::paho_c deps::paho_cpp deps::gtest. They are built once for each target, profile and
# compiler, outside the tree (dependencies.py; ${FIELDPOST_CACHE:-~/.cache/fieldpost}); a warm cache costs a tenth of a second.
include_guard(GLOBAL)
include(${CMAKE_CURRENT_LIST_DIR}/flags.cmake)

# The system's Python first: a developer's own one may lack lzma or bz2.
find_program(FIELDPOST_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(FIELDPOST_PYTHON NAMES python3 REQUIRED)

set(definitions
  FIELDPOST_TARGET=${FIELDPOST_TARGET}
  FIELDPOST_PROFILE=${FIELDPOST_PROFILE}
  CMAKE_C_COMPILER=${CMAKE_C_COMPILER}
  CMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER})
if(CMAKE_TOOLCHAIN_FILE)
  list(APPEND definitions CMAKE_TOOLCHAIN_FILE=${CMAKE_TOOLCHAIN_FILE})
endif()
list(TRANSFORM definitions PREPEND --define=)
# The flags are part of the key by value; reasons and warnings in flags.cmake may change without a rebuild.
string(REPLACE "${CMAKE_SOURCE_DIR}" "" flags "${FIELDPOST_COMMON_FLAGS};${FIELDPOST_COMMON_DEFINITIONS};${FIELDPOST_SANITIZER_FLAGS}")
execute_process(
  COMMAND ${FIELDPOST_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/dependencies.py build
    --target=${FIELDPOST_TARGET} --profile=${FIELDPOST_PROFILE} --cmake=${CMAKE_COMMAND}
    "--compiler-identity=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} ${flags}" ${definitions}
  OUTPUT_VARIABLE FIELDPOST_DEPENDENCIES OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "The dependencies could not be made ready; the line above says why.")
endif()
message(STATUS "Dependencies: ${FIELDPOST_DEPENDENCIES}")

find_package(Threads REQUIRED)

# deps::NAME with the given libraries (in link order) and its own include folder. IMPORTED makes the headers SYSTEM.
function(_fieldpost_dependency name)
  add_library(deps::${name} INTERFACE IMPORTED GLOBAL)
  target_include_directories(deps::${name} INTERFACE ${FIELDPOST_DEPENDENCIES}/${name}/include)
  foreach(library IN LISTS ARGN)
    target_link_libraries(deps::${name} INTERFACE ${FIELDPOST_DEPENDENCIES}/${library})
  endforeach()
endfunction()

_fieldpost_dependency(mbedtls mbedtls/lib/libmbedtls.a)
target_link_libraries(deps::mbedtls INTERFACE Threads::Threads)
_fieldpost_dependency(sqlite sqlite/lib/libsqlite.a)
target_link_libraries(deps::sqlite INTERFACE m)
_fieldpost_dependency(cjson cjson/lib/libcjson.a)
target_link_libraries(deps::cjson INTERFACE m)
_fieldpost_dependency(zstd zstd/lib/libzstd.a)
_fieldpost_dependency(expected)

# Must be what format.cc was built with: no locale, so no iostream (toolchains/README.md). For the same reason do not include
# fmt/chrono.h, fmt/ostream.h or fmt/std.h in shipped code without looking at the size.
_fieldpost_dependency(fmt fmt/lib/libfmt.a)
target_compile_definitions(deps::fmt INTERFACE FMT_STATIC_THOUSANDS_SEPARATOR=',' FMT_USE_LONG_DOUBLE=0)

# Asio guesses ASIO_HAS_STD_ALIGNED_ALLOC from whether a standard header came before it; two files that guess differently free
# with the wrong function. So nobody guesses.
_fieldpost_dependency(asio asio/lib/libasio.a)
target_compile_definitions(deps::asio INTERFACE
  ASIO_STANDALONE ASIO_SEPARATE_COMPILATION ASIO_NO_DEPRECATED ASIO_HAS_STD_ALIGNED_ALLOC=1 ASIO_NO_IOSTREAM)
target_link_libraries(deps::asio INTERFACE Threads::Threads)

# toml::parse() returns a toml::parse_result instead of throwing.
_fieldpost_dependency(tomlplusplus tomlplusplus/lib/libtomlplusplus.a)
target_compile_definitions(deps::tomlplusplus INTERFACE TOML_HEADER_ONLY=0 TOML_EXCEPTIONS=0 TOML_ENABLE_WINDOWS_COMPAT=0
  TOML_ENABLE_FORMATTERS=0 TOML_FLOAT_CHARCONV=1)

# Whoever links Paho answers its connect() and getaddrinfo() (fieldpost::link does): Paho gets one end of a socket pair, our
# TLS the other. --undefined pulls the answering object out of its archive, which stands before Paho's on the command line.
_fieldpost_dependency(paho_c paho_c/lib/libpaho-mqtt3a.a paho_c_glibc/lib/libpaho_c_glibc.a)
target_link_libraries(deps::paho_c INTERFACE Threads::Threads)
target_link_options(deps::paho_c INTERFACE
  LINKER:--wrap=connect LINKER:--wrap=getaddrinfo LINKER:--wrap=freeaddrinfo LINKER:--undefined=__wrap_connect)

# Its include folder holds a two-line <iostream> that shadows the real one in files that link this target.
_fieldpost_dependency(paho_cpp paho_cpp/lib/libpaho_cpp.a)
target_link_libraries(deps::paho_cpp INTERFACE deps::paho_c)

_fieldpost_dependency(gtest gtest/lib/libgtest.a)
target_link_libraries(deps::gtest INTERFACE Threads::Threads)
