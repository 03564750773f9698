# SPDX-License-Identifier: Apache-2.0
# 64-bit ARM: Raspberry Pi 3 and later, i.MX8, most gateways of today.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(FIELDPOST_TARGET arm64)

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

# Debian has the emulator as qemu-aarch64-static (package qemu-user-static) or qemu-aarch64 (qemu-user).
find_program(FIELDPOST_EMULATOR NAMES qemu-aarch64-static qemu-aarch64)
if(FIELDPOST_EMULATOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${FIELDPOST_EMULATOR})
endif()

set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
