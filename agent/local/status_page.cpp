// SPDX-License-Identifier: Apache-2.0
// The page of `fieldpost status`: what a person wants to know first stands first. Absent members show
// as nothing, so that an older command can read a newer agent.
#include <array>
#include <cmath>
#include <cstdio>

#include "agent/local/status_document.hpp"
#include "platform/json.hpp"

namespace fieldpost {
namespace {

std::string text_at(const Json& object, std::string_view key) {
  const auto member = object.at(key);
  return member ? member->string().value_or("") : "";
}

double number_at(const Json& object, std::string_view key) {
  const auto member = object.at(key);
  return member ? member->number().value_or(0) : 0;
}

bool flag_at(const Json& object, std::string_view key) {
  const auto member = object.at(key);
  return member && member->boolean().value_or(false);
}

std::string count_text(double number) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.0f", number);
  return buffer.data();
}

/// "3d 4h", "4h 12m", "12m 3s", "3.2 s", "0.4 ms".
std::string span_text(double seconds) {
  std::array<char, 32> buffer{};
  const auto whole = static_cast<long long>(std::fmin(std::fmax(seconds, 0), 1e12));
  if (seconds >= 86'400) {
    std::snprintf(buffer.data(), buffer.size(), "%lldd %lldh", whole / 86'400, whole % 86'400 / 3'600);
  } else if (seconds >= 3'600) {
    std::snprintf(buffer.data(), buffer.size(), "%lldh %lldm", whole / 3'600, whole % 3'600 / 60);
  } else if (seconds >= 60) {
    std::snprintf(buffer.data(), buffer.size(), "%lldm %llds", whole / 60, whole % 60);
  } else if (seconds >= 1) {
    std::snprintf(buffer.data(), buffer.size(), "%.1f s", seconds);
  } else {
    std::snprintf(buffer.data(), buffer.size(), "%.1f ms", seconds * 1e3);
  }
  return buffer.data();
}

std::string bytes_text(double bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), unit == 0 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
  return buffer.data();
}

/// Control characters of an error message must not steer the terminal.
std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text + " ";
}

std::string row(std::string_view title, const std::string& text) {
  return padded(std::string{title}, 9) + printable(text) + "\n";
}

std::string link_rows(const Json& link) {
  if (!flag_at(link, "configured")) {
    return row("link", "no [broker] in the configuration: readings stay in the outbox");
  }
  std::string text = text_at(link, "state") + " for " + span_text(number_at(link, "state_for_seconds"));
  const std::string peer = text_at(link, "peer");
  text += peer.empty() ? ", " + text_at(link, "url") : ", " + peer;
  const auto next = link.at("next_attempt_in_seconds");
  if (next && next->number()) text += ", next attempt in " + span_text(*next->number());
  std::string rows = row("link", text);
  if (const std::string tls = text_at(link, "tls"); !tls.empty()) rows += row("", tls);
  rows += row("", bytes_text(number_at(link, "bytes_sent")) + " sent, " +
                      bytes_text(number_at(link, "bytes_received")) + " received; connected " +
                      count_text(number_at(link, "connects")) + " times, failed " +
                      count_text(number_at(link, "failures")));
  if (const std::string error = text_at(link, "last_error"); !error.empty()) {
    rows += row("", "last error: " + error);
  }
  return rows;
}

std::string identity_rows(const Json& identity) {
  const std::string subject = text_at(identity, "subject");
  if (subject.empty()) return {};
  std::string text = subject + ", " + text_at(identity, "age") + ", until " + text_at(identity, "not_after");
  if (const std::string renewal = text_at(identity, "renewal"); !renewal.empty() && renewal != "idle") text += "; renewal: " + renewal;
  std::string rows = row("identity", text);
  if (const std::string error = text_at(identity, "last_error"); !error.empty()) rows += row("", "not renewed: " + error);
  return rows;
}

std::string jobs_rows(const Json& jobs) {
  const std::string job = text_at(jobs, "job");
  const std::string waits_for = text_at(jobs, "waits_for");
  std::string text = text_at(jobs, "state");
  if (!job.empty()) text += ": " + job + " (" + text_at(jobs, "operation") + ")";
  if (!waits_for.empty()) text += " for " + waits_for;
  std::string rows = row("jobs", text);
  if (const std::string error = text_at(jobs, "last_error"); !error.empty()) rows += row("", "record: " + error);
  const auto past = jobs.at("past");
  for (const Json& each : past ? past->elements() : std::vector<Json>{}) {
    rows += row("", text_at(each, "ended") + " " + text_at(each, "job") + " " + text_at(each, "status") + ": " + text_at(each, "reason"));
  }
  return rows;
}

std::string desired_row(const Json& desired) {
  std::string text = text_at(desired, "state");
  const std::string of = text_at(desired, "revision") + text_at(desired, "asked_by");  // one of them
  const std::string cause = text_at(desired, "cause");
  if (!of.empty()) text += ", " + of;
  if (!cause.empty()) text += ": " + cause;
  return row("desired", text);
}

std::string sync_rows(const Json& sync) {
  std::string rows = row("sync", count_text(number_at(sync, "messages_sent")) + " messages sent, " +
                                     count_text(number_at(sync, "messages_acknowledged")) + " acknowledged, " +
                                     count_text(number_at(sync, "messages_failed")) + " failed, " +
                                     count_text(number_at(sync, "messages_given_up")) + " given up");
  if (const double limit = number_at(sync, "day_bytes_max"); limit > 0) {
    rows += row("", bytes_text(number_at(sync, "day_bytes")) + " of " + bytes_text(limit) + " of the day are used; a new day in " +
                        span_text(number_at(sync, "day_resets_in_seconds")));
  }
  const auto lanes = sync.at("lanes");
  if (!lanes) return rows;
  for (const std::string& name : lanes->keys()) {
    const auto lane = lanes->at(name);
    const std::string error = lane ? text_at(*lane, "last_error") : "";
    if (!error.empty()) rows += row("", "lane " + name + " is held back: " + error);
  }
  return rows;
}

std::string store_rows(const Json& store) {
  std::string rows = row("outbox", bytes_text(number_at(store, "file_bytes")) + " of " +
                                       bytes_text(number_at(store, "quota_bytes")) + "; epoch " +
                                       text_at(store, "epoch") + ", seq " +
                                       count_text(number_at(store, "newest_seq")) + ", acknowledged " +
                                       count_text(number_at(store, "newest_acknowledged_seq")));
  if (!flag_at(store, "disk_ok")) {
    const std::string error = text_at(store, "disk_error");
    rows += row("", error.empty() ? "the disk is not ready yet" : "DISK: " + error);
  }
  rows += row("", "since start: " + count_text(number_at(store, "durable_readings")) +
                      " readings durable, " + count_text(number_at(store, "acknowledged_readings")) +
                      " acknowledged; in memory: " + count_text(number_at(store, "memory_readings")));
  const auto lanes = store.at("lanes");
  if (!lanes) return rows;
  rows += "\n" + padded("lane", 9) + padded("segments", 10) + padded("readings", 10) + "dropped\n";
  for (const std::string& name : lanes->keys()) {
    const auto lane = lanes->at(name);
    if (!lane) continue;
    rows += padded(printable(name), 9) + padded(count_text(number_at(*lane, "waiting_segments")), 10) +
            padded(count_text(number_at(*lane, "waiting_readings")), 10) +
            count_text(number_at(*lane, "dropped_readings")) + "\n";
  }
  return rows;
}

std::string source_row(const Json& source) {
  const auto ago = source.at("last_read_ago_seconds");
  const double reads = number_at(source, "reads");
  const double cost = reads > 0 ? number_at(source, "cost_seconds") / reads : 0;
  const std::string error = printable(text_at(source, "last_error"));
  return padded(printable(text_at(source, "name")), 16) + padded(printable(text_at(source, "state")), 8) +
         padded(span_text(number_at(source, "interval_seconds")), 9) +
         padded(ago && ago->number() ? span_text(*ago->number()) + " ago" : "never", 12) +
         padded(count_text(reads), 8) + padded(count_text(number_at(source, "failures")), 8) +
         padded(count_text(number_at(source, "skipped")), 8) +
         padded(count_text(number_at(source, "samples")), 10) +
         (reads > 0 ? span_text(cost) : "-") + (error.empty() ? "" : "  " + error) + "\n";
}

}  // namespace

Result<std::string> status_page(std::string_view json) {
  const Json document = TRY(Json::parse(json));
  const auto link = document.at("link");
  const auto store = document.at("store");
  const auto sources = document.at("sources");
  if (!link || !store || !sources) {
    const std::string error = text_at(document, "error");
    return Error{ErrorKind::Malformed,
                 error.empty() ? "the answer is not a status document; is the agent of another version?"
                               : printable(error)};
  }
  std::string page = row("device", text_at(document, "device") + ", fieldpost " +
                                       text_at(document, "version") + ", process " +
                                       count_text(number_at(document, "process_id")) + ", up " +
                                       span_text(number_at(document, "uptime_seconds")));
  page += row("time", text_at(document, "utc") + (flag_at(document, "utc_synchronised")
                                                      ? ""
                                                      : " (not synchronised)"));
  page += row("series", count_text(number_at(document, "series")) + "; alarms on: " +
                            count_text(number_at(document, "alarms")));
  page += link_rows(*link);
  if (const auto identity = document.at("identity")) page += identity_rows(*identity);
  if (const auto jobs = document.at("jobs")) page += jobs_rows(*jobs);
  if (const auto desired = document.at("desired")) page += desired_row(*desired);
  const auto sync = document.at("sync");
  if (sync && flag_at(*link, "configured")) page += sync_rows(*sync);
  page += store_rows(*store);
  page += "\n" + padded("source", 16) + padded("state", 8) + padded("interval", 9) +
          padded("last read", 12) + padded("reads", 8) + padded("failed", 8) + padded("skipped", 8) +
          padded("samples", 10) + "cost a read\n";
  for (const Json& source : sources->elements()) page += source_row(source);
  std::string drops;
  const auto listed = document.at("drops");
  for (const Json& drop : listed ? listed->elements() : std::vector<Json>{}) {
    if (number_at(drop, "count") <= 0) continue;
    drops += padded(printable(text_at(drop, "stage")), 16) +
             padded(printable(text_at(drop, "reason")), 24) + count_text(number_at(drop, "count")) + "\n";
  }
  if (!drops.empty()) {
    page += "\n" + padded("went no further", 16) + padded("because", 24) + "count\n" + drops;
  }
  return page;
}

}  // namespace fieldpost
