// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/est_authority.hpp"

#include <algorithm>
#include <utility>

#include "agent/cloud/pem_body.hpp"
#include "agent/identity/certificate_bag.hpp"

namespace fieldpost {
namespace {

constexpr std::uint64_t kAnswerBytesMax = 256U << 10U;
constexpr int kRedirectsMax = 3;

constexpr int kOk = 200;
constexpr int kAccepted = 202;
constexpr int kNotAuthenticated = 401;
constexpr int kThrottled = 429;
constexpr int kServer = 500;

/// What a person wrote, not a page of HTML.
std::string words_of(const HttpHead& head, const std::string& body) {
  constexpr std::size_t kWordsMax = 200;
  if (!head.content_type.starts_with("text/plain") || body.empty()) return "";
  std::string words = ": " + body.substr(0, kWordsMax);
  std::replace_if(words.begin(), words.end(), [](char c) { return c < ' '; }, ' ');
  while (words.ends_with(' ')) words.pop_back();
  return words;
}

}  // namespace

EstAuthority::EstAuthority(EventLoop& loop, HttpClient& http, EstOptions options) : loop_{loop}, http_{http}, options_{std::move(options)} {
  std::string& url = options_.url;
  if (url.ends_with('/')) url.pop_back();
  const std::size_t host = url.find("://");
  if (host != std::string::npos && url.find('/', host + 3) == std::string::npos) url += "/.well-known/est";
}

Result<void> EstAuthority::ask(const std::string& request_pem, Answer answer) {
  std::string request = pem_body(request_pem);
  const bool same = request == request_;
  request_ = std::move(request);
  answer_ = std::move(answer);
  if (same && (again_ || exchange_)) return {};  // under way, or the server has named its time
  again_.reset();
  return fetch_authorities();
}

void EstAuthority::tell_in_use(const DeviceCertificate&, std::function<void(Result<void>)> done) { done({}); }

Result<void> EstAuthority::fetch_authorities() {
  return fetch({.url = options_.url + "/cacerts", .redirects_max = kRedirectsMax}, &EstAuthority::authorities_came);
}

Result<void> EstAuthority::enrol() {
  HttpRequest request{.url = options_.url + (options_.renewal ? "/simplereenroll" : "/simpleenroll"), .redirects_max = kRedirectsMax};
  request.post = true;
  request.content_type = "application/pkcs10";
  request.body = request_;
  request.username = options_.username;
  request.password = options_.password;
  return fetch(std::move(request), &EstAuthority::certificate_came);
}

Result<void> EstAuthority::fetch(HttpRequest request, void (EstAuthority::*then)(const HttpHead&)) {
  request.body_bytes_max = kAnswerBytesMax;
  body_.clear();
  HttpReceiver receiver;
  receiver.head = [](const HttpHead&) { return Result<void>{}; };
  receiver.body = [this](std::string_view piece) {
    body_ += piece;
    return Result<void>{};
  };
  receiver.done = [this, then](const Result<HttpHead>& outcome) {
    exchange_.reset();
    if (outcome) return (this->*then)(*outcome);
    // What the network does passes; what the server is does not.
    const ErrorKind kind = outcome.error().kind();
    const bool passes = kind == ErrorKind::Timeout || kind == ErrorKind::Io || kind == ErrorKind::NotPresent;
    finish(Error{passes ? ErrorKind::Unavailable : kind, "EST: " + outcome.error().sentence()});
  };
  exchange_ = TRY(http_.fetch(std::move(request), std::move(receiver)).with_context("EST"));
  return {};
}

void EstAuthority::authorities_came(const HttpHead& head) {
  if (refused(head)) return;
  authorities_ = std::move(body_);
  if (const auto begun = enrol(); !begun) finish(begun.error());
}

void EstAuthority::certificate_came(const HttpHead& head) {
  if (refused(head)) return;
  finish(chain_from_bags(body_, authorities_).with_context("EST"));
}

bool EstAuthority::refused(const HttpHead& head) {
  const std::string said = "the EST server answers " + std::to_string(head.status) + words_of(head, body_);
  const bool busy = head.status == kThrottled || head.status >= kServer;
  if (head.status == kOk && head.content_type.starts_with("application/pkcs7-mime")) return false;
  if (head.status == kAccepted || (busy && head.retry_after)) {
    // By hand at the CA, perhaps: the same request is sent again.
    again_ = loop_.after(std::clamp(head.retry_after.value_or(kPauseMin * 60), kPauseMin, kPauseMax), [this] {
      again_.reset();
      if (const auto begun = fetch_authorities(); !begun) finish(begun.error());
    });
  } else if (head.status == kOk) {
    finish(Error{ErrorKind::Malformed, "EST: the answer is no PKCS#7 but \"" + head.content_type + "\"; is the URL an EST server's?"});
  } else if (busy) {
    finish(Error{ErrorKind::Unavailable, said});
  } else if (head.status == kNotAuthenticated) {
    finish(Error{ErrorKind::Denied, said + "; it takes neither our certificate nor our user name and password"});
  } else {
    finish(Error{ErrorKind::Denied, said});
  }
  return true;
}

void EstAuthority::finish(Result<std::string> outcome) {
  const Answer answer = std::exchange(answer_, nullptr);
  if (answer) answer(std::move(outcome));
}

}  // namespace fieldpost
