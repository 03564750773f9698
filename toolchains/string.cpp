// SPDX-License-Identifier: Apache-2.0
// What extern_string.hpp promises stands here, for libstdc++ 12 holds the members of C++17 only.
#include "toolchains/extern_string.hpp"

template class std::basic_string<char>;
