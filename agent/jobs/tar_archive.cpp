// SPDX-License-Identifier: Apache-2.0
// Blocks of 512 bytes: a header of texts and octal numbers at fixed places, the content, and two empty blocks at the end.
#include "agent/jobs/tar_archive.hpp"

#include <array>
#include <cstdio>

namespace fieldpost {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameMax = 99;

void put_octal(std::string& header, std::size_t at, int digits, std::uint64_t number) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "%0*llo", digits, static_cast<unsigned long long>(number));
  header.replace(at, static_cast<std::size_t>(digits), text.data(), static_cast<std::size_t>(digits));
}

}  // namespace

void TarArchive::add(std::string_view name, std::string_view content) {
  std::string header(kBlock, '\0');
  name = name.substr(0, kNameMax);
  header.replace(0, name.size(), name);
  put_octal(header, 100, 7, 0600);
  put_octal(header, 108, 7, 0);
  put_octal(header, 116, 7, 0);
  put_octal(header, 124, 11, content.size());
  put_octal(header, 136, 11, static_cast<std::uint64_t>(std::chrono::floor<seconds>(time_).time_since_epoch().count()));
  header[156] = '0';
  header.replace(257, 5, "ustar");
  header.replace(263, 2, "00");
  // The sum is taken with blanks in its own place.
  header.replace(148, 8, "        ");
  std::uint64_t sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put_octal(header, 148, 6, sum);
  header[154] = '\0';
  bytes_ += header;
  bytes_ += content;
  bytes_.append((kBlock - content.size() % kBlock) % kBlock, '\0');
}

std::string TarArchive::take() && {
  bytes_.append(2 * kBlock, '\0');
  return std::move(bytes_);
}

}  // namespace fieldpost
