// SPDX-License-Identifier: Apache-2.0
//
// What an uncaught exception says last. libstdc++'s own version brings a demangler and the locale code, 53 KB; this one names
// the type as the compiler spells it (c++filt -t reads it) and the message of a std::exception. Linked into shipped programs
// only. It must bear this name to take the other one's place in a static link.

#include <cstdlib>
#include <cstring>
#include <exception>
#include <typeinfo>

#include <cxxabi.h>
#include <unistd.h>

namespace {

void put(const char* text) {
  // Nothing can be done about a failing write to a closed stderr.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
}

}  // namespace

namespace __gnu_cxx {

void __verbose_terminate_handler() {
  static bool terminating = false;
  if (terminating) std::abort();  // what() threw
  terminating = true;
  if (const std::type_info* type = abi::__cxa_current_exception_type()) {
    put("fieldpost: uncaught exception ");
    put(type->name());
    try {
      throw;
    } catch (const std::exception& exception) {
      put(": ");
      put(exception.what());
    } catch (...) {
    }
    put("\n");
  } else {
    put("fieldpost: ended; the line above says why\n");
  }
  // Libraries throw, and the event loop gives up, where the system refuses what is needed to run: descriptors, threads, timers.
  // That is no crash: ExitCode::exhausted (agent/commands/command.hpp).
  ::_exit(3);
}

}  // namespace __gnu_cxx
