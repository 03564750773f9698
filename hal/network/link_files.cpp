// SPDX-License-Identifier: Apache-2.0
// /proc/net/dev and /sys/class/net.
#include "hal/network/link_files.hpp"

#include <charconv>

namespace fieldpost {
namespace {

constexpr std::int64_t kBytesPerMegabit = 1'000'000 / 8;

std::string attribute_path(const std::string& device, std::string_view attribute) {
  return "/sys/class/net/" + device + "/" + std::string{attribute};
}

/// Decimal, or hexadecimal after "0x" (flags, dev_id).
std::optional<std::int64_t> read_number(const FileTree& tree, const std::string& device,
                                        std::string_view attribute) {
  const auto text = tree.read_line(attribute_path(device, attribute));
  if (!text) return std::nullopt;  // EINVAL is how sysfs says "not known"
  if (!text->starts_with("0x")) return attribute_number(*text);
  std::int64_t value = 0;
  const char* end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data() + 2, end, value, 16);
  return parsed.ec == std::errc{} && parsed.ptr == end ? std::optional{value} : std::nullopt;
}

std::string read_word(const FileTree& tree, const std::string& device, std::string_view attribute) {
  return tree.read_line(attribute_path(device, attribute)).value_or("");
}

}  // namespace

std::optional<NetDevLine> parse_net_dev_line(TextScanner& scan) {
  NetDevLine line;
  scan.skip_blanks();
  // An alias may hold a colon ("eth0:1"), but then as a name of its own no counters follow the first.
  const auto device = scan.word_until(':');
  bool whole = device && !device->empty();
  if (whole) {
    line.device = *device;
    for (std::size_t i = 0; whole && i < LinkCounters::receive_nohandler; ++i) {
      const auto value = scan.number();
      whole = value.has_value();
      line.counters.values[i] = value.value_or(0);
    }
  }
  scan.skip_line();
  return whole ? std::optional{line} : std::nullopt;
}

LinkAttributes read_link_attributes(const FileTree& tree, const std::string& device) {
  LinkAttributes state;
  state.name = device;
  auto& v = state.values;
  const auto number = [&](std::string_view attribute) { return read_number(tree, device, attribute); };
  v[LinkAttributes::carrier] = number("carrier");
  v[LinkAttributes::carrier_changes] = number("carrier_changes");
  v[LinkAttributes::carrier_up_changes] = number("carrier_up_count");
  v[LinkAttributes::carrier_down_changes] = number("carrier_down_count");
  v[LinkAttributes::dormant] = number("dormant");
  v[LinkAttributes::flags] = number("flags");
  v[LinkAttributes::iface_id] = number("ifindex");
  v[LinkAttributes::iface_link] = number("iflink");
  v[LinkAttributes::iface_link_mode] = number("link_mode");
  v[LinkAttributes::mtu_bytes] = number("mtu");
  v[LinkAttributes::net_dev_group] = number("netdev_group");
  v[LinkAttributes::protocol_type] = number("type");
  v[LinkAttributes::transmit_queue_length] = number("tx_queue_len");
  state.address = read_word(tree, device, "address");
  state.broadcast = read_word(tree, device, "broadcast");
  state.alias = read_word(tree, device, "ifalias");
  state.operstate = read_word(tree, device, "operstate");
  v[LinkAttributes::up] = state.operstate == "up" ? 1 : 0;
  add_link_attributes(tree, state);
  return state;
}

void add_link_attributes(const FileTree& tree, LinkAttributes& state) {
  const auto number = [&](std::string_view attribute) {
    return read_number(tree, state.name, attribute);
  };
  state.values[LinkAttributes::address_assign_type] = number("addr_assign_type");
  state.values[LinkAttributes::device_id] = number("dev_id");
  state.values[LinkAttributes::name_assign_type] = number("name_assign_type");
  state.duplex = read_word(tree, state.name, "duplex");
  // -1, or a huge number from 32-bit drivers, is "not known"; a made-up speed is worse than none.
  const auto megabits = number("speed");
  if (megabits && *megabits >= 0 && *megabits < 0xFFFFFFFF) {
    state.values[LinkAttributes::speed_bytes] = *megabits * kBytesPerMegabit;
  }
}

}  // namespace fieldpost
