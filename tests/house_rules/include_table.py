# SPDX-License-Identifier: Apache-2.0
"""Who may include whom: DESIGN section 2 as data. Left is what a folder is, right what it may include besides itself."""

# A name ending in "/" means the folder and everything below it; "hal" alone means the contract, the files directly in hal/.
ROOMS = {
    "platform": [],
    "hal": ["platform"],
    "hal/host": ["hal", "platform"],
    "hal/network": ["hal", "platform"],
    "hal/sensors": ["hal", "platform"],
    "hal/encoders": ["hal", "platform"],
    "hal/external": ["hal", "platform"],
    "hal/simulated": ["hal", "platform"],
    "agent/sampling": ["hal", "platform"],
    "agent/filter": ["agent/sampling", "hal", "platform"],
    "agent/aggregate": ["agent/filter", "hal", "platform"],
    "agent/rules": ["agent/aggregate", "hal", "platform"],
    "agent/self": ["hal", "platform"],
    "agent/store": ["agent/aggregate", "hal", "platform"],
    "agent/link": ["platform"],
    "agent/sync": ["agent/store", "agent/link", "hal", "platform"],
    "agent/identity": ["agent/link", "platform"],
    "agent/cloud": ["agent/identity", "agent/link", "platform"],
    "agent/fleet": ["agent/cloud", "agent/link", "platform"],
    "agent/jobs": ["agent/cloud", "agent/link", "ota", "platform"],
    "agent/configuration": ["hal", "ota", "platform"],  # and headers of stages that declare options: OPTION_READERS
    "agent/local": ["agent/store", "agent/self", "hal", "platform"],
    "ota": ["platform"],
}

# Reads the options of every stage: may include a header of any stage that declares a struct ...Options or ...Policy.
OPTION_READERS = {"agent/configuration"}

# What joins the rest may include what it joins.
WIRING_FILES = {"agent/main.cpp", "hal/driver_table.cpp", "agent/jobs/job_table.cpp", "ota/boot_table.cpp"}
WIRING_PREFIXES = ("agent/wiring", "agent/commands/")

# Not part of the agent: they join whatever they test, measure or build.
FREE_PREFIXES = ("tests/", "toolchains/", "packaging/")

# Third party: the beginning of the name between < and >, and the words one of which the file's name must contain.
THIRD_PARTY = {
    "asio": ("asio",),
    "boost/": ("boost",),
    "cjson/": ("cjson",),
    "sqlite3": ("sqlite3",),
    "mbedtls/": ("mbedtls",),
    "psa/": ("mbedtls",),
    "mqtt/": ("paho",),
    "MQTT": ("paho",),
    "zstd": ("zstd",),
    "toml++/": ("tomlplusplus",),
    "curl/": ("curl",),
    "civetweb": ("civetweb",),
    "pb": ("nanopb",),
    "modbus": ("libmodbus",),
    "sodium": ("sodium",),
    "openssl/": (),  # nowhere: one TLS stack in the binary, and it is Mbed TLS
}

# Exceptions, each with its reason.
THIRD_PARTY_ANYWHERE = {
    "tl/expected.hpp": ("platform/result.hpp",),  # Result is everywhere; the include is not
}
THIRD_PARTY_IN_SOURCES = ("fmt/",)  # formatting is no dependency one could exchange behind a header; only in a .cpp
TEST_LIBRARIES = ("gtest/", "gmock/", "benchmark/")

# The system's. What is neither here, nor in the C++ library, nor above is an error: someone should say what it is.
SYSTEM_FOLDERS = ("sys/", "net/", "netinet/", "arpa/", "linux/", "asm/", "bits/")
SYSTEM_HEADERS = set(
    """arm_acle.h cpuid.h cxxabi.h dirent.h dlfcn.h elf.h endian.h errno.h fcntl.h features.h fnmatch.h getopt.h glob.h
    grp.h immintrin.h ifaddrs.h langinfo.h libgen.h limits.h malloc.h mntent.h netdb.h nmmintrin.h nss.h poll.h pthread.h pty.h
    pwd.h resolv.h sched.h signal.h spawn.h stdint.h stdio.h stdlib.h string.h syslog.h termios.h threads.h time.h ucontext.h
    unistd.h utmp.h wchar.h""".split()
)
