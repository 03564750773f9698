// SPDX-License-Identifier: Apache-2.0
//
// Stands in, in shipped programs, for parts of glibc that a static program without a locale pays for and never needs: 270 KB on
// x86_64. targets.cmake lists them for the linker's --wrap, so that glibc's calls among its own files end here too, and the linker
// drops what nobody reaches any more. Another libc has no such names, and these functions are dropped instead.

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

int folded(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte;
}

}  // namespace

extern "C" {

/// Of scanf, what is called at all: %hu and %n by the reader of TZ rules, %lg by cJSON; letters stand for themselves.
int __wrap___isoc99_sscanf(const char* text, const char* format, ...) {
  std::va_list values;
  va_start(values, format);
  int count = 0;
  for (const char* at = text; *format != '\0';) {
    char* end = nullptr;
    if (std::strncmp(format, "%hu", 3) == 0) {
      // strtoul() takes signs, as scanf does.
      const unsigned long number = std::strtoul(at, &end, 10);
      if (end == at) break;
      *va_arg(values, unsigned short*) = static_cast<unsigned short>(number);
      format += 3;
      ++count;
    } else if (std::strncmp(format, "%lg", 3) == 0) {
      const double number = std::strtod(at, &end);
      if (end == at) break;
      *va_arg(values, double*) = number;
      format += 3;
      ++count;
    } else if (std::strncmp(format, "%n", 2) == 0) {
      *va_arg(values, int*) = static_cast<int>(at - text);
      format += 2;
      continue;
    } else if (*format == '%') {
      std::abort();  // a new caller: give it what it needs, or strtol()
    } else if (*format++ == *at) {
      end = const_cast<char*>(at + 1);
    } else {
      break;
    }
    at = end;
  }
  va_end(values);
  return count == 0 && *text == '\0' ? EOF : count;
}

/// Messages of the C library in another language: nobody sets a locale.
char* __wrap___dcgettext(const char*, const char* message, int) { return const_cast<char*>(message); }

/// perror() and assert() on a stream that somebody might have made wide.
int __wrap___fxprintf(std::FILE* stream, const char* format, ...) {
  std::va_list values;
  va_start(values, format);
  const int written = std::vfprintf(stream == nullptr ? stderr : stream, format, values);
  va_end(values);
  return written;
}

/// Paho's trace, which is off, and SQLite's CURRENT_TIME would ask for it.
std::size_t __wrap_strftime(char* text, std::size_t size, const char*, const void*) {
  if (size != 0) *text = '\0';
  return 0;
}

/// Where shared libraries would be searched; this program loads none.
void __wrap__dl_init_paths() {}

// amd64's glibc has each of these in six versions, 60 KB; the names they compare are short.
int __wrap_strncmp(const char* a, const char* b, std::size_t count) {
  for (; count != 0; ++a, ++b, --count) {
    if (*a != *b || *a == '\0') return static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b);
  }
  return 0;
}

int __wrap_strncasecmp(const char* a, const char* b, std::size_t count) {
  for (; count != 0; ++a, ++b, --count) {
    if (folded(*a) != folded(*b) || *a == '\0') return folded(*a) - folded(*b);
  }
  return 0;
}

int __wrap_strcasecmp(const char* a, const char* b) { return __wrap_strncasecmp(a, b, static_cast<std::size_t>(-1)); }
int __wrap___strcasecmp(const char* a, const char* b) { return __wrap_strcasecmp(a, b); }
int __wrap___strncasecmp(const char* a, const char* b, std::size_t count) { return __wrap_strncasecmp(a, b, count); }
int __wrap___strcasecmp_l(const char* a, const char* b, const void*) { return __wrap_strcasecmp(a, b); }
int __wrap___strncasecmp_l(const char* a, const char* b, std::size_t count, const void*) { return __wrap_strncasecmp(a, b, count); }

/// Reached only through a locale, a wide stream, dlopen() or %ls and %a in a format.
[[noreturn]] void fieldpost_not_in_this_program() { std::abort(); }

}  // extern "C"
