// SPDX-License-Identifier: Apache-2.0
#include "agent/link/http_message.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include "agent/link/http_proxy.hpp"

namespace fieldpost {
namespace {

constexpr std::string_view kNewLine = "\r\n";

Error malformed(std::string_view what) { return Error{ErrorKind::Malformed, "the server's answer is not HTTP: " + std::string{what}}; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool same_word(std::string_view one, std::string_view lower) {
  return std::equal(one.begin(), one.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

std::optional<std::uint64_t> number(std::string_view text, int radix = 10) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, radix);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<std::string> http_request_text(const HttpRequest& request, const HttpUrl& url) {
  for (const std::string* field : {&request.content_type, &request.if_range, &url.path}) {
    if (field->find_first_of("\r\n") != std::string::npos) return Error{ErrorKind::OutOfRange, "an HTTP field with a line's end in it"};
  }
  std::string text = request.post ? "POST " : "GET ";
  text += url.path + " HTTP/1.1\r\nHost: " + (url.at.port == url.port_default() ? url.at.text().substr(0, url.at.text().rfind(':')) : url.at.text()) +
          "\r\nUser-Agent: fieldpost\r\nConnection: close\r\n";
  if (!request.username.empty()) text += "Authorization: Basic " + base64(request.username + ":" + request.password) + "\r\n";
  if (request.range) {
    text += "Range: bytes=" + std::to_string(request.range->first) + "-" + (request.range->last ? std::to_string(*request.range->last) : "") + "\r\n";
    if (!request.if_range.empty()) text += "If-Range: " + request.if_range + "\r\n";
  }
  if (request.post) {
    text += "Content-Type: " + request.content_type + "\r\nContent-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  text += kNewLine;
  if (request.post) text += request.body;
  return text;
}

Result<void> HttpAnswer::parse_field(std::string_view name, std::string_view value) {
  const auto length = [&]() -> Result<void> {
    const auto bytes = number(value);
    // Two that differ are how one answer is smuggled into another.
    if (!bytes || (head_.content_length && head_.content_length != bytes)) return malformed("Content-Length");
    head_.content_length = bytes;
    return {};
  };
  if (same_word(name, "content-length")) return length();
  if (same_word(name, "transfer-encoding")) {
    if (!same_word(value, "chunked") || chunked_) return malformed("Transfer-Encoding");
    chunked_ = true;
  } else if (same_word(name, "content-encoding")) {
    if (!same_word(value, "identity")) return malformed("an encoding that nobody asked for");
  } else if (same_word(name, "content-type")) {
    head_.content_type = value;
  } else if (same_word(name, "etag")) {
    head_.etag = value;
  } else if (same_word(name, "location")) {
    head_.location = value;
  } else if (same_word(name, "retry-after")) {
    constexpr std::uint64_t kSecondsMax = 10U * 365U * 86'400U;
    if (const auto wait = number(value)) head_.retry_after = seconds{std::min(*wait, kSecondsMax)};
  } else if (same_word(name, "content-range") && value.starts_with("bytes ")) {
    const std::string_view range = value.substr(6);
    const std::size_t dash = range.find('-');
    const std::size_t slash = range.find('/');
    if (dash < slash) head_.range_first = number(range.substr(0, dash));
    if (slash != std::string_view::npos) head_.range_total = number(range.substr(slash + 1));
  }
  return {};
}

Result<void> HttpAnswer::parse_head(std::string_view text) {
  // "HTTP/1.1 200 OK"
  constexpr std::size_t kStatusAt = 9;
  std::string_view line = text.substr(0, text.find(kNewLine));
  const auto status = line.size() >= kStatusAt + 3 && line.starts_with("HTTP/1.") ? number(line.substr(kStatusAt, 3)) : std::nullopt;
  if (!status || *status < 100) return malformed("its first line");
  head_ = {};
  chunked_ = false;
  head_.status = static_cast<int>(*status);
  for (text.remove_prefix(line.size() + 2); text != kNewLine; text.remove_prefix(line.size() + 2)) {
    line = text.substr(0, text.find(kNewLine));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 || line[0] == ' ' || line[0] == '\t') return malformed("a field without a name");
    TRY(parse_field(line.substr(0, colon), trimmed(line.substr(colon + 1))));
  }
  constexpr int kNoContent = 204;
  constexpr int kNotModified = 304;
  if (head_.status < 200) return {};  // one to wait after, such as 100: the next head follows
  if (head_.status == kNoContent || head_.status == kNotModified) {
    part_ = Part::done;
  } else if (chunked_) {
    if (head_.content_length) return malformed("two lengths");
    part_ = Part::chunk_size;
  } else if (head_.content_length) {
    left_ = *head_.content_length;
    part_ = left_ == 0 ? Part::done : Part::fixed;
  } else {
    part_ = Part::to_the_end;
  }
  return {};
}

Result<bool> HttpAnswer::line_from(std::string_view& bytes) {
  constexpr std::size_t kLineMax = 1024;
  const std::size_t end = bytes.find('\n');
  const std::size_t count = end == std::string_view::npos ? bytes.size() : end + 1;
  if (text_.size() + count > kLineMax) return malformed("a line without an end");
  text_ += bytes.substr(0, count);
  bytes.remove_prefix(count);
  if (end == std::string_view::npos) return false;
  if (!text_.ends_with(kNewLine)) return malformed("a line's end");
  text_.resize(text_.size() - 2);
  return true;
}

Result<void> HttpAnswer::pass(std::string_view& bytes, std::uint64_t most, std::uint64_t body_bytes_max, const Body& body) {
  const std::string_view piece = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(most, bytes.size())));
  if (piece.size() > body_bytes_max - taken_) {
    return Error{ErrorKind::Full, "the server's answer is larger than " + std::to_string(body_bytes_max) + " bytes"};
  }
  taken_ += piece.size();
  bytes.remove_prefix(piece.size());
  return body(piece);
}

Result<HttpAnswer::Want> HttpAnswer::take(std::string_view bytes, std::uint64_t body_bytes_max, const Body& body) {
  while (!bytes.empty()) {
    switch (part_) {
      case Part::head: {
        // Up to the empty line, which may lie across two pieces.
        const std::size_t before = text_.size();
        text_ += bytes.substr(0, kHeadBytesMax);
        const std::size_t end = text_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
        if (end == std::string::npos) {
          if (text_.size() >= kHeadBytesMax) return malformed("a head without an end");
          return Want::more;
        }
        bytes.remove_prefix(end + 4 - before);
        text_.resize(end + 4);
        TRY(parse_head(text_));
        text_.clear();
        break;
      }
      case Part::fixed: {
        const std::size_t before = bytes.size();
        TRY(pass(bytes, left_, body_bytes_max, body));
        left_ -= before - bytes.size();
        if (left_ == 0) part_ = Part::done;
        break;
      }
      case Part::to_the_end:
        TRY(pass(bytes, std::numeric_limits<std::uint64_t>::max(), body_bytes_max, body));
        break;
      case Part::chunk_size: {
        if (!TRY(line_from(bytes))) return Want::more;
        const auto size = number(trimmed(std::string_view{text_}.substr(0, text_.find(';'))), 16);
        text_.clear();
        if (!size) return malformed("the size of a chunk");
        left_ = *size;
        part_ = left_ == 0 ? Part::trailer : Part::chunk;
        break;
      }
      case Part::chunk: {
        const std::size_t before = bytes.size();
        TRY(pass(bytes, left_, body_bytes_max, body));
        left_ -= before - bytes.size();
        if (left_ == 0) part_ = Part::chunk_end;
        break;
      }
      case Part::chunk_end:
        if (!TRY(line_from(bytes))) return Want::more;
        if (!text_.empty()) return malformed("the end of a chunk");
        part_ = Part::chunk_size;
        break;
      case Part::trailer: {
        if (!TRY(line_from(bytes))) return Want::more;
        trailer_bytes_ += text_.size();
        if (trailer_bytes_ > kHeadBytesMax) return malformed("a trailer without an end");
        if (text_.empty()) part_ = Part::done;
        text_.clear();
        break;
      }
      case Part::done: return Want::done;  // what follows belongs to nobody
    }
  }
  return part_ == Part::done ? Want::done : Want::more;
}

Result<void> HttpAnswer::end(bool in_order) const {
  if (part_ == Part::done || (part_ == Part::to_the_end && in_order)) return {};
  return Error{ErrorKind::Io, "the server hung up before its answer was whole"};
}

Result<HttpUrl> redirected(const HttpUrl& from, std::string_view location) {
  location = location.substr(0, location.find('#'));
  const std::string_view scheme = from.tls ? "https:" : "http:";
  std::string url{location};
  if (location.starts_with("//")) {
    url = std::string{scheme} + url;
  } else if (location.find("://") == std::string_view::npos) {
    const std::string path = location.starts_with('/') ? url : from.path.substr(0, from.path.substr(0, from.path.find('?')).rfind('/') + 1) + url;
    url = std::string{scheme} + "//" + from.at.text() + path;
  }
  return parse_http_url(url, !from.tls);
}

}  // namespace fieldpost
