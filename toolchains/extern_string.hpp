// SPDX-License-Identifier: Apache-2.0
// Included first in every file of a release build (flags.cmake). In C++20 libstdc++ no longer says that
// std::string's functions stand compiled in its library, so that each file brings its own; they do stand there.
// Measured: 11 % of our own code.
#pragma once

#include <string>

extern template class std::basic_string<char>;
