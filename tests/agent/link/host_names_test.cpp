// SPDX-License-Identifier: Apache-2.0
#include "agent/link/host_names.hpp"

#include <gtest/gtest.h>

#include <initializer_list>

namespace fieldpost {
namespace {

std::vector<std::string> texts(const std::vector<SocketAddress>& addresses) {
  std::vector<std::string> result;
  for (const auto& address : addresses) result.push_back(address.host_text());
  return result;
}

using Texts = std::vector<std::string>;

TEST(HostsFile, GivesTheAddressesOfANameInItsOrder) {
  constexpr std::string_view kHosts =
      "# the plant's own\n"
      "192.0.2.7\tbroker.plant.example broker # main\n"
      "2001:db8::7 broker\n"
      "192.0.2.8 other\r\n"
      "192.0.2.9 #broker\n"
      "192.0.2.10 broker";
  EXPECT_EQ(texts(find_in_hosts(kHosts, "broker")), (Texts{"192.0.2.7", "2001:db8::7", "192.0.2.10"}));
  EXPECT_EQ(texts(find_in_hosts(kHosts, "BROKER.plant.example.")), Texts{"192.0.2.7"});
  EXPECT_EQ(texts(find_in_hosts(kHosts, "other")), Texts{"192.0.2.8"});
  EXPECT_EQ(texts(find_in_hosts(kHosts, "brok")), Texts{});
}

TEST(HostsFile, LeavesOutWhatIsNoLineOfOne) {
  EXPECT_EQ(texts(find_in_hosts("", "broker")), Texts{});
  EXPECT_EQ(texts(find_in_hosts("\n\n  \n", "broker")), Texts{});
  EXPECT_EQ(texts(find_in_hosts("broker 192.0.2.7\n192.0.2 broker\n192.0.2.7\n", "broker")), Texts{});
  EXPECT_EQ(texts(find_in_hosts("192.0.2.7 a a a\n", "a")), Texts{"192.0.2.7"});
}

/// An answer to "x.example" with the given records; each is type, length and bytes of its data.
struct DnsRecord {
  unsigned char type;
  std::vector<unsigned char> bytes;
};

std::vector<unsigned char> dns_answer(std::initializer_list<DnsRecord> records) {
  std::vector<unsigned char> message{0x12, 0x34, 0x81, 0x80, 0, 1, 0, static_cast<unsigned char>(records.size()), 0, 0, 0, 0};
  constexpr unsigned char kQuestion[] = {1, 'x', 7, 'e', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1};
  message.insert(message.end(), std::begin(kQuestion), std::end(kQuestion));
  for (const auto& record : records) {
    const unsigned char head[] = {0xC0, 12, 0, record.type, 0, 1, 0, 0, 0, 60, 0, static_cast<unsigned char>(record.bytes.size())};
    message.insert(message.end(), std::begin(head), std::end(head));
    message.insert(message.end(), record.bytes.begin(), record.bytes.end());
  }
  return message;
}

constexpr unsigned char kA = 1;
constexpr unsigned char kCname = 5;
constexpr unsigned char kAaaa = 28;

TEST(DnsAnswer, HoldsAddressesOfBothFamilies) {
  const auto answer = dns_answer({{kCname, {1, 'y', 0xC0, 14}},
                                  {kA, {192, 0, 2, 7}},
                                  {kAaaa, {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}}});
  EXPECT_EQ(texts(addresses_in_dns_answer(answer)), (Texts{"192.0.2.7", "2001:db8::7"}));
}

TEST(DnsAnswer, WithoutRecordsHoldsNone) { EXPECT_TRUE(addresses_in_dns_answer(dns_answer({})).empty()); }

TEST(DnsAnswer, OfAWrongLengthIsLeftOut) {
  EXPECT_TRUE(addresses_in_dns_answer(dns_answer({{kA, {192, 0, 2}}})).empty());
  EXPECT_TRUE(addresses_in_dns_answer(dns_answer({{kAaaa, {192, 0, 2, 7}}})).empty());
}

TEST(DnsAnswer, CutAnywhereHoldsNone) {
  const auto answer = dns_answer({{kA, {192, 0, 2, 7}}});
  for (std::size_t bytes = 0; bytes < answer.size(); ++bytes) {
    const std::vector<unsigned char> cut{answer.begin(), answer.begin() + static_cast<std::ptrdiff_t>(bytes)};
    EXPECT_TRUE(addresses_in_dns_answer(cut).empty()) << bytes;
  }
}

TEST(HostNames, KnowLocalhostWithoutAnyServer) {
  for (const char* name : {"localhost", "LOCALHOST.", "agent.localhost"}) {
    const auto addresses = look_up_host(name);
    ASSERT_TRUE(addresses) << addresses.error().sentence();
    for (const auto& text : texts(*addresses)) EXPECT_TRUE(text == "127.0.0.1" || text == "::1") << text;
  }
}

}  // namespace
}  // namespace fieldpost
