# SPDX-License-Identifier: Apache-2.0
# 64-bit x86: industrial PCs, encoder appliances, and this project's own machines.
set(FIELDPOST_TARGET amd64)
if(NOT CMAKE_HOST_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64)$")
  set(CMAKE_SYSTEM_NAME Linux)
  set(CMAKE_SYSTEM_PROCESSOR x86_64)
  set(CMAKE_C_COMPILER x86_64-linux-gnu-gcc)
  set(CMAKE_CXX_COMPILER x86_64-linux-gnu-g++)
  find_program(FIELDPOST_EMULATOR NAMES qemu-x86_64-static qemu-x86_64)
  if(FIELDPOST_EMULATOR)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${FIELDPOST_EMULATOR})
  endif()
endif()
