// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 as text: what a request looks like, and an answer taken apart as it comes. No socket, no clock.
// Source: RFC 9110, RFC 9112
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "agent/link/link_url.hpp"
#include "platform/http.hpp"

namespace fieldpost {

/// Errors: OutOfRange (a field with a line's end in it)
Result<std::string> http_request_text(const HttpRequest& request, const HttpUrl& url);

/// One answer, in whatever pieces it comes: with Content-Length, chunked, or to the end of the connection.
class HttpAnswer {
 public:
  struct Head : HttpHead {
    std::string location;
  };
  enum class Want : std::uint8_t { more, done };
  using Body = std::function<Result<void>(std::string_view piece)>;

  static constexpr std::size_t kHeadBytesMax = 16U << 10U;

  /// Takes in all of `bytes`; `body` gets what of the body is in it.
  /// Errors: Malformed; Full (more body than that); those of `body`
  Result<Want> take(std::string_view bytes, std::uint64_t body_bytes_max, const Body& body);
  /// The connection ended, `in_order` or not.
  /// Errors: Io (not all has come)
  Result<void> end(bool in_order) const;

  /// Known from the instant on at which has_head().
  bool has_head() const noexcept { return part_ != Part::head; }
  const Head& head() const noexcept { return head_; }

 private:
  enum class Part : std::uint8_t { head, fixed, to_the_end, chunk_size, chunk, chunk_end, trailer, done };

  Result<void> parse_head(std::string_view text);
  Result<void> parse_field(std::string_view name, std::string_view value);
  Result<void> pass(std::string_view& bytes, std::uint64_t most, std::uint64_t body_bytes_max, const Body& body);
  /// A line that ends in this piece, or nothing yet.
  Result<bool> line_from(std::string_view& bytes);

  Part part_ = Part::head;
  Head head_;
  std::string text_;        ///< of the head, or of a line, as far as it came
  std::uint64_t left_ = 0;  ///< of the body or of the chunk
  std::uint64_t taken_ = 0;
  std::size_t trailer_bytes_ = 0;
  bool chunked_ = false;
};

/// Where a redirect leads, from there.
/// Errors: OutOfRange (no URL; one without TLS from one with)
Result<HttpUrl> redirected(const HttpUrl& from, std::string_view location);

}  // namespace fieldpost
