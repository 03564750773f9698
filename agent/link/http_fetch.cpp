// SPDX-License-Identifier: Apache-2.0
#include "agent/link/http_fetch.hpp"

#include <algorithm>
#include <utility>

#include "agent/link/connector.hpp"
#include "agent/link/http_message.hpp"
#include "agent/link/tls_settings.hpp"

namespace fieldpost {
namespace {

std::span<const std::uint8_t> bytes_of(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

class Fetch final : public HttpExchange {
 public:
  Fetch(EventLoop& loop, NameResolver& resolver, std::shared_ptr<TlsSettings> settings, std::optional<ProxyUrl> proxy, HttpRequest request,
        HttpReceiver receiver, HttpUrl url)
      : loop_{loop},
        resolver_{resolver},
        settings_{std::move(settings)},
        proxy_{std::move(proxy)},
        request_{std::move(request)},
        receiver_{std::move(receiver)},
        url_{std::move(url)},
        deadline_{loop.clock().now() + request_.timeout} {}

  /// Errors: as http_request_text()
  Result<void> begin() {
    text_ = TRY(http_request_text(request_, url_));
    sent_ = 0;
    answer_ = {};
    whole_ = loop_.after(std::max(deadline_ - loop_.clock().now(), nanoseconds{0}), [this] { too_late("in time"); });
    Connector::Target target;
    target.broker.at = url_.at;
    target.broker.tls = url_.tls;
    target.proxy = proxy_;
    target.settings = url_.tls ? settings_.get() : nullptr;
    connector_ = std::make_unique<Connector>(loop_, resolver_, std::move(target));
    connector_->connect(std::max<nanoseconds>(deadline_ - loop_.clock().now(), seconds{1}), [this](Result<Connector::Connection> result) {
      if (!result) return finish(result.error());
      connection_ = std::move(*result);
      connector_.reset();
      connection_.wire->on_change([this] { pump(); });
      pump();
    });
    return {};
  }

  void pause() override { paused_ = true; }
  void resume() override {
    if (!std::exchange(paused_, false) || !connection_.wire) return;
    step_ = loop_.after(nanoseconds{0}, [this] { pump(); });
  }

 private:
  void too_late(const char* what) { finish(Error{ErrorKind::Timeout, url_.at.text() + " did not answer " + what}); }

  void pump() {
    if (ended_) return;
    silence_ = loop_.after(request_.silence_max, [this] {
      // The peer waits while we do.
      if (!paused_) too_late("any more");
    });
    if (!send() || paused_) return;
    receive();
  }

  /// What of the request has room ahead of the network.
  bool send() {
    constexpr std::size_t kAhead = 32U << 10U;
    Wire& wire = *connection_.wire;
    while (sent_ < text_.size() && wire.outgoing().size() < kAhead) {
      const std::size_t count = std::min({text_.size() - sent_, connection_.records->write_max(), kAhead});
      if (const auto written = connection_.records->write(bytes_of(std::string_view{text_}.substr(sent_, count))); !written) {
        finish(written.error());
        return false;
      }
      sent_ += count;
    }
    wire.pump();
    return true;
  }

  void receive() {
    for (;;) {
      const auto read = connection_.records->read(plain_);
      if (!read) return finish(read.error());
      const auto come = plain_.front();
      const auto taken = answer_.take({reinterpret_cast<const char*>(come.data()), come.size()}, request_.body_bytes_max,
                                      [this](std::string_view piece) { return body(piece); });
      if (!taken) return finish(taken.error());
      plain_.pop(come.size());
      if (answer_.has_head() && !told_ && !tell_head()) return;
      if (*taken == HttpAnswer::Want::done) return complete();
      connection_.wire->pump();
      if (*read == RecordLayer::Read::closed || (*read == RecordLayer::Read::wants_more && connection_.wire->peer_finished())) {
        // Over TLS an end without a goodbye may be an attacker's.
        const bool in_order = !url_.tls || *read == RecordLayer::Read::closed;
        if (!answer_.has_head()) return finish(Error{ErrorKind::Io, url_.at.text() + " hung up without an answer"});
        const auto whole = answer_.end(in_order);
        return whole ? complete() : finish(whole.error());
      }
      if (connection_.wire->failure()) return finish(*connection_.wire->failure());
      if (*read != RecordLayer::Read::full || paused_) return;
    }
  }

  bool is_redirect() const {
    constexpr int kRedirects[] = {301, 302, 303, 307, 308};
    return std::find(std::begin(kRedirects), std::end(kRedirects), answer_.head().status) != std::end(kRedirects) && !answer_.head().location.empty();
  }

  bool tell_head() {
    told_ = true;
    if (is_redirect()) return true;
    if (const auto wanted = receiver_.head(answer_.head()); !wanted) {
      finish(wanted.error());
      return false;
    }
    return true;
  }

  Result<void> body(std::string_view piece) {
    if (!told_ && !tell_head()) return *refused_;
    return is_redirect() ? Result<void>{} : receiver_.body(piece);
  }

  void complete() {
    if (!is_redirect()) return finish(HttpHead{answer_.head()});
    if (++redirects_ > request_.redirects_max) {
      return finish(Error{ErrorKind::Denied, url_.at.text() + " sends us on to " + answer_.head().location + ", and we may not follow"});
    }
    auto next = redirected(url_, answer_.head().location);
    if (!next) return finish(next.error());
    const bool elsewhere = next->at.text() != url_.at.text() || next->tls != url_.tls;
    if (request_.post && (elsewhere || answer_.head().status < 307)) {
      return finish(Error{ErrorKind::Denied, url_.at.text() + " sends what we post on to " + answer_.head().location});
    }
    if (elsewhere) request_.username.clear();
    url_ = std::move(*next);
    step_ = loop_.after(nanoseconds{0}, [this] {
      connection_ = {};
      told_ = false;
      plain_.clear();
      if (const auto begun = begin(); !begun) finish(begun.error());
    });
  }

  void finish(Result<HttpHead> outcome) {
    if (std::exchange(ended_, true)) return;
    if (!outcome) refused_ = outcome.error();
    whole_.reset();
    silence_.reset();
    if (connection_.wire) {
      connection_.records->close();
      connection_.wire->pump();
      connection_.wire->on_change({});
    }
    // Later, for `done` may destroy us, and we may be deep in our own connection.
    step_ = loop_.after(nanoseconds{0}, [done = std::move(receiver_.done), outcome = std::move(outcome)] { auto call = done; call(outcome); });
  }

  EventLoop& loop_;
  NameResolver& resolver_;
  std::shared_ptr<TlsSettings> settings_;  ///< shared, for the client may have loaded new ones meanwhile
  std::optional<ProxyUrl> proxy_;
  HttpRequest request_;
  HttpReceiver receiver_;
  HttpUrl url_;
  BootTime deadline_;
  std::string text_;
  std::size_t sent_ = 0;
  HttpAnswer answer_;
  std::unique_ptr<Connector> connector_;
  Connector::Connection connection_;
  ByteQueue plain_{64U << 10U};
  std::optional<Error> refused_;
  Subscription whole_;
  Subscription silence_;
  Subscription step_;
  int redirects_ = 0;
  bool told_ = false;
  bool paused_ = false;
  bool ended_ = false;
};

class LinkHttpClient final : public HttpClient {
 public:
  LinkHttpClient(EventLoop& loop, HttpOptions options) : loop_{loop}, options_{std::move(options)}, resolver_{loop} {}

  Result<std::unique_ptr<HttpExchange>> fetch(HttpRequest request, HttpReceiver receiver) override {
    auto url = TRY(parse_http_url(request.url, options_.plaintext_allowed));
    std::optional<ProxyUrl> proxy;
    if (!options_.proxy.empty()) proxy = TRY(parse_proxy_url(options_.proxy).with_context("proxy"));
    if (url.tls && (!settings_ || settings_->changed_on_disk())) {
      LinkOptions tls;
      tls.ca_file = options_.ca_file;
      tls.certificate_file = options_.certificate_file;
      tls.key_file = options_.key_file;
      tls.key_password = options_.key_password;
      settings_ = TRY(TlsSettings::load(tls));
    }
    auto settings = url.tls ? settings_ : nullptr;
    auto made = std::make_unique<Fetch>(loop_, resolver_, std::move(settings), std::move(proxy), std::move(request),
                                        std::move(receiver), std::move(url));
    TRY(made->begin());
    return std::unique_ptr<HttpExchange>{std::move(made)};
  }

 private:
  EventLoop& loop_;
  HttpOptions options_;
  NameResolver resolver_;
  std::shared_ptr<TlsSettings> settings_;  ///< shared with the exchanges that began with them
};

}  // namespace

std::unique_ptr<HttpClient> make_http_client(EventLoop& loop, HttpOptions options) {
  return std::make_unique<LinkHttpClient>(loop, std::move(options));
}

}  // namespace fieldpost
