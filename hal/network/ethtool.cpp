// SPDX-License-Identifier: Apache-2.0
// Statistics of network hardware by ioctl(2) SIOCETHTOOL and by the generic netlink family "ethtool".
#include "hal/network/ethtool.hpp"

#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "hal/network/ethernet_groups.hpp"
#include "hal/network/ethtool_name.hpp"
#include "hal/network/link.hpp"
#include "platform/glob.hpp"

namespace fieldpost {
namespace {

constexpr seconds kRescanEvery{10};

/// A driver that claims more is not believed.
constexpr std::uint32_t kStatisticsMax = 8192;

constexpr Metric kDriver{
    "node_ethtool_info",
    "A metric with a constant '1' value labeled by bus_info, device, driver, expansion_rom_version, firmware_version, version.",
    "", SeriesKind::state};

/// Text in a fixed field, which may fill it without a zero byte.
std::string field_text(const char* field, std::size_t size) {
  return {field, std::find(field, field + size, '\0')};
}

class EthtoolSocket {
 public:
  explicit EthtoolSocket(FileDescriptor descriptor) : descriptor_{std::move(descriptor)} {}

  /// False where the driver has no such command or the link is gone.
  bool ask(const std::string& device, void* command) const {
    ifreq request{};
    if (device.size() >= sizeof(request.ifr_name)) return false;
    std::ranges::copy(device, request.ifr_name);
    request.ifr_data = static_cast<char*>(command);
    return ::ioctl(descriptor_.get(), SIOCETHTOOL, &request) == 0;
  }

  /// How many statistics the driver has now.
  std::uint32_t statistics_count(const std::string& device) const {
    ethtool_sset_info header{};
    header.cmd = ETHTOOL_GSSET_INFO;
    header.sset_mask = std::uint64_t{1} << ETH_SS_STATS;
    alignas(ethtool_sset_info) std::array<std::byte, sizeof(header) + sizeof(std::uint32_t)> question{};
    std::memcpy(question.data(), &header, sizeof(header));
    if (!ask(device, question.data())) return 0;
    std::uint32_t count = 0;  // one number for the one bit of the mask
    std::memcpy(&count, question.data() + sizeof(header), sizeof(count));
    return count;
  }

 private:
  FileDescriptor descriptor_;
};

struct Adapter {
  std::string device;
  std::optional<SeriesId> driver;
  std::vector<std::optional<SeriesId>> statistics;  ///< in the driver's order; nothing: not wanted
  std::vector<std::uint64_t> answer;                ///< an ethtool_stats with room behind it
};

/// Collects family "ethtool"'s number, or its statistics.
class GenericListener final : public NetlinkListener {
 public:
  void answer(const NetlinkMessage& message) override {
    if (message.type != GENL_ID_CTRL) {
      devices.push_back(parse_ethernet_statistics(message.payload));
      return;
    }
    if (message.payload.size() < sizeof(genlmsghdr)) return;
    NetlinkAttributes attributes{message.payload.subspan(sizeof(genlmsghdr))};
    while (const auto attribute = attributes.next()) {
      if (attribute->type == CTRL_ATTR_FAMILY_ID) family = attribute->as<std::uint16_t>().value_or(0);
    }
  }
  std::uint16_t family = 0;
  std::vector<EthernetStatistics> devices;
};

class EthtoolSource final : public Source {
 public:
  EthtoolSource(EthtoolSocket socket, const SourceContext& context)
      : socket_{std::move(socket)},
        tree_{context.tree},
        series_{context.series},
        filter_{context.options.has("exclude") ? context.options.texts("exclude")
                                               : std::vector<std::string>{"veth*"}},
        wanted_{context.options.has("statistics") ? context.options.texts("statistics")
                                                  : std::vector<std::string>{"*"}} {
    find_family();
  }

  Result<void> rescan() {
    adapters_.clear();
    for (const std::string& device : TRY(tree_.list("/sys/class/net"))) {
      if (!filter_.wants(device)) continue;
      if (auto adapter = describe(device)) adapters_.push_back(std::move(*adapter));
    }
    return {};
  }

  bool has_any() const { return !adapters_.empty(); }

  Result<void> read(SampleSink& sink, BootTime now) override {
    if (now >= rescan_due_) {
      TRY(rescan());
      rescan_due_ = now + kRescanEvery;
    }
    for (Adapter& adapter : adapters_) {
      if (adapter.driver) sink.accept({*adapter.driver, 1, now});
      if (!read_statistics(adapter, sink, now)) rescan_due_ = now;  // queues were added or taken away
    }
    read_standard_groups(sink, now);
    return {};
  }

 private:
  void find_family() {
    auto socket = NetlinkSocket::open(NETLINK_GENERIC, 0);
    if (!socket) return;
    std::vector<std::byte> request(sizeof(genlmsghdr));
    const genlmsghdr header{CTRL_CMD_GETFAMILY, 1, 0};
    std::memcpy(request.data(), &header, sizeof(header));
    append_attribute(request, CTRL_ATTR_FAMILY_NAME, std::as_bytes(std::span{"ethtool"}));
    GenericListener listener;
    if (!socket->ask(GENL_ID_CTRL, 0, request, listener) || listener.family == 0) return;
    family_ = listener.family;
    generic_ = std::move(*socket);
  }

  std::optional<Adapter> describe(const std::string& device) {
    ethtool_drvinfo driver{};
    driver.cmd = ETHTOOL_GDRVINFO;
    if (!socket_.ask(device, &driver)) return std::nullopt;
    Adapter adapter{device, std::nullopt, {}, {}};
    auto id = add_series(series_, kDriver,
                         {{"bus_info", field_text(driver.bus_info, sizeof(driver.bus_info))},
                          {"device", device},
                          {"driver", field_text(driver.driver, sizeof(driver.driver))},
                          {"expansion_rom_version", field_text(driver.erom_version, sizeof(driver.erom_version))},
                          {"firmware_version", field_text(driver.fw_version, sizeof(driver.fw_version))},
                          {"version", field_text(driver.version, sizeof(driver.version))}});
    if (id) adapter.driver = *id;
    if (driver.n_stats > 0 && driver.n_stats <= kStatisticsMax) name_statistics(adapter, driver.n_stats);
    return adapter;
  }

  void name_statistics(Adapter& adapter, std::uint32_t count) {
    // The kernel writes as many as there are by then, whatever we have room for: asked just before, and twice the room.
    if (socket_.statistics_count(adapter.device) != count) return;
    std::vector<char> names(sizeof(ethtool_gstrings) + 2 * std::size_t{count} * ETH_GSTRING_LEN);
    ethtool_gstrings header{};
    header.cmd = ETHTOOL_GSTRINGS;
    header.string_set = ETH_SS_STATS;
    header.len = count;
    std::memcpy(names.data(), &header, sizeof(header));
    if (!socket_.ask(adapter.device, names.data())) return;
    std::memcpy(&header, names.data(), sizeof(header));
    if (header.len != count) return;  // changed in between; the next re-scan gets it
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::string statistic =
          field_text(names.data() + sizeof(header) + std::size_t{i} * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
      adapter.statistics.push_back(is_wanted(statistic) ? add(adapter.device, statistic) : std::nullopt);
    }
    adapter.answer.resize(1 + 2 * std::size_t{count});
  }

  bool is_wanted(const std::string& statistic) const {
    return !statistic.empty() && std::ranges::any_of(wanted_, [&](const std::string& pattern) {
      return matches_glob(pattern, statistic);
    });
  }

  std::optional<SeriesId> add(const std::string& device, const std::string& statistic) {
    EthtoolMetricName metric = ethtool_metric_name(statistic);
    auto id = series_.add({std::move(metric.name), {{"device", device}}, "", SeriesKind::counter,
                           std::move(metric.help)});
    return id ? std::optional{*id} : std::nullopt;
  }

  /// False when the driver has by now another number of statistics than names.
  bool read_statistics(Adapter& adapter, SampleSink& sink, BootTime now) const {
    if (adapter.statistics.empty()) return true;
    // Queues may have been added, and the kernel would write past the room we have (name_statistics()).
    if (socket_.statistics_count(adapter.device) != adapter.statistics.size()) return false;
    ethtool_stats header{};
    static_assert(sizeof(header) == sizeof(std::uint64_t), "the numbers follow the header");
    header.cmd = ETHTOOL_GSTATS;
    header.n_stats = static_cast<std::uint32_t>(std::uint64_t{adapter.statistics.size()});
    std::memcpy(adapter.answer.data(), &header, sizeof(header));
    if (!socket_.ask(adapter.device, adapter.answer.data())) return false;
    std::memcpy(&header, adapter.answer.data(), sizeof(header));
    if (header.n_stats != adapter.statistics.size()) return false;
    for (std::size_t i = 0; i < adapter.statistics.size(); ++i) {
      if (adapter.statistics[i]) sink.accept({*adapter.statistics[i], adapter.answer[i + 1], now});
    }
    return true;
  }

  void read_standard_groups(SampleSink& sink, BootTime now) {
    if (!generic_) return;
    GenericListener listener;
    if (!generic_->ask(family_, NLM_F_DUMP, ethernet_statistics_request(), listener)) {
      generic_.reset();  // a kernel before 5.13
      return;
    }
    for (const EthernetStatistics& found : listener.devices) {
      if (!filter_.wants(found.device)) continue;
      for (const auto& [metric, value] : found.statistics) {
        if (auto id = add_series(series_, *metric, {{"device", found.device}})) sink.accept({*id, value, now});
      }
    }
  }

  EthtoolSocket socket_;
  const FileTree& tree_;
  SeriesTable& series_;
  LinkFilter filter_;
  std::vector<std::string> wanted_;
  std::optional<NetlinkSocket> generic_;
  std::uint16_t family_ = 0;
  std::vector<Adapter> adapters_;
  BootTime rescan_due_{};
};

}  // namespace

Result<std::unique_ptr<Source>> open_ethtool(const SourceContext& context) {
  if (!context.tree.is_machine()) {
    return Error{ErrorKind::NotPresent, "a captured tree holds no answers of the network drivers"};
  }
  FileDescriptor descriptor{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  if (!descriptor) return errno_error("ethtool: socket", errno);
  auto source = std::make_unique<EthtoolSource>(EthtoolSocket{std::move(descriptor)}, context);
  TRY(source->rescan());
  if (!source->has_any()) return Error{ErrorKind::NotPresent, "no link has statistics of its hardware"};
  return source;
}

}  // namespace fieldpost
