// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 over the link's own transport: the same resolver, dialler, proxy and TLS that lead to the broker, on the event loop.
// A connection for each request. Why not libcurl: README.md.
#pragma once

#include <memory>
#include <string>

#include "platform/event_loop.hpp"
#include "platform/http.hpp"

namespace fieldpost {

struct HttpOptions {
  std::string ca_file;           ///< PEM bundle; empty: the system's
  std::string certificate_file;  ///< client chain, leaf first; empty: none
  std::string key_file;
  std::string key_password;
  std::string proxy;             ///< http://[user:password@]host:port; empty: none
  bool plaintext_allowed = false;
};

/// Certificates are read at the first request, and again when their files have changed. `loop` is lent and outlives the
/// client, which outlives its exchanges.
std::unique_ptr<HttpClient> make_http_client(EventLoop& loop, HttpOptions options);

}  // namespace fieldpost
