# SPDX-License-Identifier: Apache-2.0
# 32-bit ARMv7 with VFPv3-D16: i.MX6, STM32MP1, AM335x. Debian's armhf; not the ARMv6 of the first Raspberry Pi (use armel).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(FIELDPOST_TARGET armhf)

set(CMAKE_C_COMPILER arm-linux-gnueabihf-gcc)
set(CMAKE_CXX_COMPILER arm-linux-gnueabihf-g++)

# Debian has the emulator as qemu-arm-static (package qemu-user-static) or qemu-arm (qemu-user).
find_program(FIELDPOST_EMULATOR NAMES qemu-arm-static qemu-arm)
if(FIELDPOST_EMULATOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${FIELDPOST_EMULATOR})
endif()

set(CMAKE_FIND_ROOT_PATH /usr/arm-linux-gnueabihf)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
