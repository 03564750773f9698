// SPDX-License-Identifier: Apache-2.0
// Every driver, one row each. A constant table and not self-registering objects: the linker would
// leave those out of a static archive. How to add one: hal/README.md.
#include <algorithm>
#include <array>

#include "hal/encoders/ffmpeg.hpp"
#include "hal/host/cpu.hpp"
#include "hal/host/cpu_frequency.hpp"
#include "hal/host/disk.hpp"
#include "hal/host/filesystem.hpp"
#include "hal/host/identity.hpp"
#include "hal/host/kernel_limits.hpp"
#include "hal/host/load.hpp"
#include "hal/host/memory.hpp"
#include "hal/host/pressure.hpp"
#include "hal/host/time.hpp"
#include "hal/host/vmstat.hpp"
#include "hal/network/ethtool.hpp"
#include "hal/network/network.hpp"
#include "hal/sensors/hwmon.hpp"
#include "hal/sensors/thermal.hpp"
#include "hal/simulated/simulated.hpp"
#include "hal/source.hpp"

namespace fieldpost {
namespace {

constexpr auto kOnLoop = Driver::Reads::on_loop;
constexpr auto kOnWorker = Driver::Reads::on_worker;
constexpr bool kOn = true;    // without being named in the configuration
constexpr bool kOff = false;

constexpr std::array kDrivers{
    Driver{"cpu", "host", "CPU seconds by mode, interrupts, context switches, forks, boot time", kOnLoop, kOn, {}, open_cpu},
    Driver{"cpu_frequency", "host", "clock of each CPU and its limits", kOnWorker, kOn, {}, open_cpu_frequency},
    Driver{"memory", "host", "every line of /proc/meminfo", kOnLoop, kOn, {}, open_memory},
    Driver{"vmstat", "host", "paging, swapping, page faults, tasks killed for want of memory", kOnLoop, kOn, {}, open_vmstat},
    Driver{"load", "host", "load averages", kOnLoop, kOn, {}, open_load},
    Driver{"pressure", "host", "time lost waiting for CPU, memory, I/O and interrupts", kOnLoop, kOn, {}, open_pressure},
    Driver{"disk", "host", "operations, bytes and time of each block device", kOnLoop, kOn, {}, open_disk},
    Driver{"filesystem", "host", "space and inodes of each mounted file system", kOnWorker, kOn, kFilesystemOptions, open_filesystem},
    Driver{"kernel_limits", "host", "open files and entropy", kOnLoop, kOn, {}, open_kernel_limits},
    Driver{"time", "host", "wall clock and uptime", kOnLoop, kOn, {}, open_time},
    Driver{"identity", "host", "kernel and operating system, as labels", kOnLoop, kOn, {}, open_identity},
    Driver{"network", "network", "counters, state and speed of each network link", kOnLoop, kOn, kNetworkOptions, open_network},
    Driver{"ethtool", "network", "what the network hardware and its driver count", kOnWorker, kOff, kEthtoolOptions, open_ethtool},
    Driver{"hwmon", "sensors", "temperatures, voltages, currents, power and fans of hwmon chips", kOnWorker, kOn, {}, open_hwmon},
    Driver{"thermal", "sensors", "thermal zones and cooling devices", kOnWorker, kOn, {}, open_thermal},
    Driver{"ffmpeg", "encoders", "frames, bitrate, speed and drops of an ffmpeg encode, from its -progress", kOnLoop, kOff, kFfmpegOptions, open_ffmpeg,
           kFfmpegIntervalMax, "ffmpeg stops encoding when nobody reads its progress"},
    Driver{"simulated", "simulated", "made-up series with known values, for tests and first runs", kOnLoop, kOff, kSimulatedOptions, open_simulated},
};

}  // namespace

std::span<const Driver> driver_table() { return kDrivers; }

const Driver* find_driver(std::string_view name) {
  const auto found = std::ranges::find(kDrivers, name, &Driver::name);
  return found == kDrivers.end() ? nullptr : &*found;
}

}  // namespace fieldpost
