# SPDX-License-Identifier: Apache-2.0
# RV64GC.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(FIELDPOST_TARGET riscv64)

set(CMAKE_C_COMPILER riscv64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER riscv64-linux-gnu-g++)

# Debian has the emulator as qemu-riscv64-static (package qemu-user-static) or qemu-riscv64 (qemu-user).
find_program(FIELDPOST_EMULATOR NAMES qemu-riscv64-static qemu-riscv64)
if(FIELDPOST_EMULATOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${FIELDPOST_EMULATOR})
endif()

set(CMAKE_FIND_ROOT_PATH /usr/riscv64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
