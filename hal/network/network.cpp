// SPDX-License-Identifier: Apache-2.0
// The driver "network": which way to read, and the two sources.
#include "hal/network/network.hpp"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "hal/network/link.hpp"
#include "hal/network/link_files.hpp"
#include "hal/network/link_messages.hpp"
#include "hal/network/netlink.hpp"
#include "hal/steady_rows.hpp"

namespace fieldpost {
namespace {

/// The kernel tells of every change; this is for what it does not tell (a speed renegotiated without
/// the carrier going) and for notifications that were lost.
constexpr seconds kStateEvery{30};

template <typename Request>
std::span<const std::byte> bytes_of(const Request& request) {
  return std::as_bytes(std::span{&request, 1});
}

LinkFilter make_filter(const OptionValues& options) {
  return LinkFilter{options.has("exclude") ? options.texts("exclude") : std::vector<std::string>{"veth*"}};
}

/// The kernel's answers, kept until they are passed on.
class LinkDump final : public NetlinkListener {
 public:
  void start_counters() {
    counters_.clear();
    wants_state_ = false;
  }
  void start_states() {
    states_.clear();
    wants_state_ = true;
  }
  void answer(const NetlinkMessage& message) override {
    if (wants_state_) {
      if (auto state = parse_link_attributes(message)) states_.push_back(std::move(*state));
    } else if (const auto counters = parse_link_counters(message)) {
      counters_.push_back(*counters);
    }
  }
  void notification(const NetlinkMessage&) override { changed_ = true; }

  const std::vector<IndexedCounters>& counters() const { return counters_; }
  std::vector<LinkAttributes>& states() { return states_; }
  /// Whether links have changed since this was last asked.
  bool take_changed() { return std::exchange(changed_, false); }
  void mark_changed() { changed_ = true; }

 private:
  bool wants_state_ = false;
  bool changed_ = true;
  std::vector<IndexedCounters> counters_;
  std::vector<LinkAttributes> states_;
};

class KernelLinks final : public Source {
 public:
  KernelLinks(NetlinkSocket socket, const SourceContext& context)
      : socket_{std::move(socket)},
        tree_{context.tree},
        series_{context.series},
        filter_{make_filter(context.options)} {}

  /// Whether the kernel has RTM_GETSTATS (4.7); older ones tell the counters with the links.
  Result<void> probe() {
    auto answered = ask_counters();
    if (!answered && answered.error().kind() == ErrorKind::NotPresent && !from_link_messages_) {
      from_link_messages_ = true;
      answered = ask_counters();
    }
    return answered;
  }

  Result<void> read(SampleSink& sink, BootTime now) override {
    TRY(ask_counters());
    const bool known = std::ranges::all_of(
        dump_.counters(), [this](const IndexedCounters& link) { return find(link.index) != nullptr; });
    const bool changed = dump_.take_changed();
    if (changed || !known || now >= state_due_) {
      if (auto refreshed = refresh_states(); !refreshed && links_.empty()) return refreshed;
      state_due_ = now + kStateEvery;
    }
    for (std::size_t i = 0; i < dump_.counters().size(); ++i) {
      const IndexedCounters& read = dump_.counters()[i];
      const Link* link = find(read.index, i);
      if (link == nullptr || !link->series) continue;
      link->series->pass_on(read.counters, sink, now);
      link->series->pass_on_state(sink, now);
    }
    return {};
  }

 private:
  struct Link {
    std::uint32_t index;
    std::optional<LinkSeries> series;  ///< nothing for a link that is left out
  };

  /// Lost notifications or a table that moved: what is known may be stale, so ask once more.
  Result<void> ask_counters() {
    auto answered = ask_counters_once();
    if (answered) return answered;
    if (answered.error().kind() == ErrorKind::NotPresent) return answered;
    dump_.mark_changed();
    socket_.drain();
    return ask_counters_once();
  }

  Result<void> ask_counters_once() {
    dump_.start_counters();
    if (from_link_messages_) {
      const ifinfomsg request{};
      return socket_.ask(RTM_GETLINK, NLM_F_DUMP, bytes_of(request), dump_);
    }
    if_stats_msg request{};
    request.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
    return socket_.ask(RTM_GETSTATS, NLM_F_DUMP, bytes_of(request), dump_);
  }

  Result<void> refresh_states() {
    struct {
      ifinfomsg link;
      rtattr attribute;
      std::uint32_t filter;
    } request{};
    request.attribute.rta_type = IFLA_EXT_MASK;
    request.attribute.rta_len = RTA_LENGTH(sizeof(request.filter));
    request.filter = RTEXT_FILTER_SKIP_STATS;
    dump_.start_states();
    if (auto answered = socket_.ask(RTM_GETLINK, NLM_F_DUMP, bytes_of(request), dump_); !answered) {
      dump_.mark_changed();  // again at the next read
      return answered;
    }
    std::vector<Link> links;
    for (LinkAttributes& state : dump_.states()) {
      const auto index = static_cast<std::uint32_t>(state.values[LinkAttributes::iface_id].value_or(0));
      Link& link = links.emplace_back(Link{index, std::nullopt});
      if (!filter_.wants(state.name)) continue;
      add_link_attributes(tree_, state);
      link.series = take_series(state.name);
      if (link.series) link.series->set_state(series_, state);
    }
    links_ = std::move(links);
    return {};
  }

  /// The series of a device known before, or new ones; nothing when the table is full.
  std::optional<LinkSeries> take_series(const std::string& device) {
    for (Link& link : links_) {
      if (link.series && link.series->device() == device) return std::exchange(link.series, std::nullopt);
    }
    auto added = LinkSeries::add(series_, device);
    return added ? std::optional{std::move(*added)} : std::nullopt;
  }

  /// Links come in the order of their index, so one stands where it is looked for.
  const Link* find(std::uint32_t index, std::size_t position = 0) const {
    if (position < links_.size() && links_[position].index == index) return &links_[position];
    const auto found = std::ranges::find(links_, index, &Link::index);
    return found == links_.end() ? nullptr : &*found;
  }

  NetlinkSocket socket_;
  const FileTree& tree_;
  SeriesTable& series_;
  LinkFilter filter_;
  LinkDump dump_;
  std::vector<Link> links_;
  BootTime state_due_{};
  bool from_link_messages_ = false;
};

class FileLinks final : public Source {
 public:
  FileLinks(KeptFile net_dev, const SourceContext& context)
      : net_dev_{std::move(net_dev)},
        tree_{context.tree},
        series_{context.series},
        filter_{make_filter(context.options)} {}

  Result<void> read(SampleSink& sink, BootTime now) override {
    TextScanner scan{TRY(net_dev_.read())};
    rows_.rewind();
    while (!scan.at_end()) {
      auto line = parse_net_dev_line(scan);
      if (!line) continue;
      auto& link = rows_.row(line->device, [this](std::string_view device) { return add(device); });
      if (!link) continue;
      const std::string path = "/sys/class/net/" + link->device() + "/statistics/rx_nohandler";
      line->counters.values[LinkCounters::receive_nohandler] =
          static_cast<std::uint64_t>(tree_.read_integer(path).value_or(0));
      link->pass_on(line->counters, sink, now);
      link->set_state(series_, read_link_attributes(tree_, link->device()));
      link->pass_on_state(sink, now);
    }
    return {};
  }

 private:
  std::optional<LinkSeries> add(std::string_view device) {
    const std::string name{device};
    if (!filter_.wants(name)) return std::nullopt;
    auto added = LinkSeries::add(series_, name);
    return added ? std::optional{std::move(*added)} : std::nullopt;
  }

  KeptFile net_dev_;
  const FileTree& tree_;
  SeriesTable& series_;
  LinkFilter filter_;
  SteadyRows<std::optional<LinkSeries>> rows_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_network_from_kernel(const SourceContext& context) {
  auto source = std::make_unique<KernelLinks>(TRY(NetlinkSocket::open(NETLINK_ROUTE, RTMGRP_LINK)), context);
  TRY(source->probe());
  return source;
}

Result<std::unique_ptr<Source>> open_network_from_files(const SourceContext& context) {
  return std::make_unique<FileLinks>(TRY(context.tree.keep("/proc/net/dev")), context);
}

Result<std::unique_ptr<Source>> open_network(const SourceContext& context) {
  if (context.tree.is_machine()) {
    // A sandbox may forbid netlink; the files then do, at twenty times the cost.
    if (auto source = open_network_from_kernel(context)) return source;
  }
  return open_network_from_files(context);
}

}  // namespace fieldpost
