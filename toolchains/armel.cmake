# SPDX-License-Identifier: Apache-2.0
# 32-bit ARMv5TE without floating point unit: old gateways, and the ARMv6 of Raspberry Pi 1 and Zero.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(FIELDPOST_TARGET armel)

set(CMAKE_C_COMPILER arm-linux-gnueabi-gcc)
set(CMAKE_CXX_COMPILER arm-linux-gnueabi-g++)

# ARMv5 has no instruction for an atomic of 64 bits; libatomic does it with a lock. Last on the command line, after who asks for it.
set(CMAKE_CXX_STANDARD_LIBRARIES -latomic)

# Debian has the emulator as qemu-arm-static (package qemu-user-static) or qemu-arm (qemu-user).
find_program(FIELDPOST_EMULATOR NAMES qemu-arm-static qemu-arm)
if(FIELDPOST_EMULATOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${FIELDPOST_EMULATOR})
endif()

set(CMAKE_FIND_ROOT_PATH /usr/arm-linux-gnueabi)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
