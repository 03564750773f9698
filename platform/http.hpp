// SPDX-License-Identifier: Apache-2.0
// Fetching over HTTP as those see it who need it (enrolment, updates): one request, and an answer that streams to whoever
// asked, bounded in size, time and redirects. Who speaks it stands elsewhere (agent/link/http_fetch.*): TLS is the link's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "platform/clock.hpp"
#include "platform/result.hpp"

namespace fieldpost {

struct HttpRange {
  std::uint64_t first = 0;
  std::optional<std::uint64_t> last = {};  ///< nothing: to the end
};

struct HttpRequest {
  std::string url;           ///< https://host[:port]/path; http:// where the client allows it
  bool post = false;
  std::string content_type = {};  ///< of `body`; both for a post only
  std::string body = {};
  std::string username = {};      ///< basic authentication; never sent to another host
  std::string password = {};
  std::optional<HttpRange> range = {};
  std::string if_range = {};      ///< an ETag: the whole again if it has changed
  std::uint64_t body_bytes_max = 1U << 20U;
  int redirects_max = 0;
  seconds timeout{60};       ///< all together
  seconds silence_max{30};   ///< and between two bytes
};

/// Of the last answer, after redirects. A range that was asked for came if the status is 206; 200 is the whole.
struct HttpHead {
  int status = 0;
  std::string content_type;
  std::string etag;
  std::optional<std::uint64_t> content_length;
  std::optional<std::uint64_t> range_first;  ///< of Content-Range
  std::optional<std::uint64_t> range_total;
  std::optional<seconds> retry_after;        ///< dates are not read
};

/// None of them may destroy the exchange but `done`.
struct HttpReceiver {
  /// Once, before the body; an error ends the exchange with it.
  std::function<Result<void>(const HttpHead& head)> head;
  /// Piece by piece; likewise.
  std::function<Result<void>(std::string_view piece)> body;
  /// Once, last, on the loop: the whole body came, of the length that was announced; or what ended it.
  /// Errors: Denied (TLS; a redirect that may not be followed), Unavailable (not reached), Timeout, Io (cut off),
  ///         Malformed (no HTTP), Full (more than body_bytes_max), and those of `head` and `body`
  std::function<void(Result<HttpHead> outcome)> done;
};

/// Destroying it gives up.
class HttpExchange {
 public:
  virtual ~HttpExchange() = default;
  /// The receiver has enough for now: but for what has come (64 KiB at most) nothing is read any more, and the peer waits.
  virtual void pause() = 0;
  virtual void resume() = 0;
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  /// Errors: OutOfRange (the URL, or a field of the request); files of certificates as they are read
  virtual Result<std::unique_ptr<HttpExchange>> fetch(HttpRequest request, HttpReceiver receiver) = 0;
};

}  // namespace fieldpost
