/* SPDX-License-Identifier: Apache-2.0
 *
 * Paho's archive was compiled against glibc 2.41, whose headers rename strtol() to __isoc23_strtol(); glibc 2.36 has only
 * the old name. The two differ in accepting "0b101", which Paho never meets. Weak, so that a newer libc's own one wins. */
#include <stdlib.h>

#if !__GLIBC_PREREQ(2, 38)
long __isoc23_strtol(const char* text, char** end, int base) __attribute__((weak));
long __isoc23_strtol(const char* text, char** end, int base) { return strtol(text, end, base); }
#else
typedef int fieldpost_nothing_to_do_here;
#endif
