// SPDX-License-Identifier: Apache-2.0
// The series that the agent gives of itself. Every drop, failure and delay that it knows of is here:
// what is not measured is not noticed from ten thousand devices away.
#pragma once

#include "hal/metric.hpp"

namespace fieldpost::self {

inline constexpr auto kCounter = SeriesKind::counter;
inline constexpr auto kGauge = SeriesKind::gauge;
inline constexpr auto kState = SeriesKind::state;

inline constexpr Metric kBuild{"fieldpost_build_info", "Version of the agent, as a label; always 1.", "", kState};
inline constexpr Metric kStarted{"fieldpost_start_time_seconds", "Boot-time second at which the agent started.", "seconds", kGauge};
inline constexpr Metric kSeries{"fieldpost_series", "Series known.", "", kGauge};
inline constexpr Metric kAlarms{"fieldpost_alarms_active", "Alarms that are on now.", "", kGauge};

// By source.
inline constexpr Metric kSourceUp{"fieldpost_source_up", "1 if the last read of the source succeeded.", "", kState};
inline constexpr Metric kSourceReads{"fieldpost_source_reads_total", "Reads that succeeded.", "", kCounter};
inline constexpr Metric kSourceFailures{"fieldpost_source_failures_total", "Reads that failed.", "", kCounter};
inline constexpr Metric kSourceSkipped{"fieldpost_source_skipped_total", "Ticks at which the read before had not come back.", "", kCounter};
inline constexpr Metric kSourceSeconds{"fieldpost_source_read_seconds_total", "Wall time spent in reads.", "seconds", kCounter};

// Of the pipeline.
inline constexpr Metric kSamplesRead{"fieldpost_samples_read_total", "Samples that sources gave.", "", kCounter};
inline constexpr Metric kSamplesDropped{"fieldpost_samples_dropped_total", "Samples that went no further because something was wrong with them.", "", kCounter};
inline constexpr Metric kSamplesWithheld{"fieldpost_samples_withheld_total", "Samples that went no further because the configuration says so.", "", kCounter};
inline constexpr Metric kSummaries{"fieldpost_summaries_total", "Windows that were closed.", "", kCounter};
inline constexpr Metric kEvents{"fieldpost_events_total", "Events that rules raised.", "", kCounter};

// Of the outbox.
inline constexpr Metric kDiskOk{"fieldpost_outbox_disk_ok", "1 if the outbox can be written.", "", kState};
inline constexpr Metric kOutboxBytes{"fieldpost_outbox_bytes", "Size of the outbox on disk.", "bytes", kGauge};
inline constexpr Metric kDurable{"fieldpost_readings_durable_total", "Readings made durable.", "", kCounter};
inline constexpr Metric kAcknowledged{"fieldpost_readings_acknowledged_total", "Readings acknowledged by the broker.", "", kCounter};
inline constexpr Metric kCommits{"fieldpost_outbox_commits_total", "Commits to the outbox.", "", kCounter};
inline constexpr Metric kDurableDelay{"fieldpost_outbox_durable_delay_seconds", "How old the oldest reading was when the latest commit made it durable, or is if it still waits.", "seconds", kGauge};
inline constexpr Metric kWritten{"fieldpost_outbox_written_bytes_total", "Bytes written to the outbox's files since start, rather more than less.", "bytes", kCounter};
inline constexpr Metric kFlushInterval{"fieldpost_outbox_flush_interval_seconds", "How long a reading waits for the disk at most; longer than configured while the write budget is short.", "seconds", kGauge};
inline constexpr Metric kThinned{"fieldpost_outbox_thinned_readings_total", "Readings that became summaries because the outbox was full.", "", kCounter};
inline constexpr Metric kWaiting{"fieldpost_outbox_waiting_readings", "Readings that wait for the broker, by lane.", "", kGauge};
inline constexpr Metric kReadingsDropped{"fieldpost_readings_dropped_total", "Readings dropped from the outbox, by lane; each is reported as a gap.", "", kCounter};

// Of the link.
inline constexpr Metric kConnected{"fieldpost_link_connected", "1 while connected to the broker.", "", kState};
inline constexpr Metric kConnects{"fieldpost_link_connects_total", "Connections made.", "", kCounter};
inline constexpr Metric kConnectFailures{"fieldpost_link_failures_total", "Attempts that failed and connections that broke.", "", kCounter};
inline constexpr Metric kSent{"fieldpost_link_sent_bytes_total", "Bytes sent, as on the wire.", "bytes", kCounter};
inline constexpr Metric kReceived{"fieldpost_link_received_bytes_total", "Bytes received, as on the wire.", "bytes", kCounter};
inline constexpr Metric kMessagesSent{"fieldpost_messages_sent_total", "Messages handed to the link, repeats included.", "", kCounter};
inline constexpr Metric kMessagesFailed{"fieldpost_messages_failed_total", "Messages not acknowledged; each is sent again.", "", kCounter};
inline constexpr Metric kMessagesGivenUp{"fieldpost_messages_given_up_total", "Messages that can never be sent; each is reported as a gap.", "", kCounter};

// Of the identity.
inline constexpr Metric kCertificateEnd{"fieldpost_certificate_not_after_seconds", "UTC second until which the device's certificate is valid.", "seconds", kGauge};

// Of jobs.
inline constexpr Metric kJobActive{"fieldpost_jobs_active", "Jobs in hand: 0 or 1.", "", kGauge};
inline constexpr Metric kJobsEnded{"fieldpost_jobs_ended_total", "Jobs that ended, by status; CANCELED and TIMED_OUT by the cloud.", "", kCounter};

// Of the process.
inline constexpr Metric kCpu{"fieldpost_process_cpu_seconds_total", "CPU time of the agent, user and system.", "seconds", kCounter};
inline constexpr Metric kResident{"fieldpost_process_resident_memory_bytes", "Resident memory of the agent.", "bytes", kGauge};
inline constexpr Metric kDescriptors{"fieldpost_process_open_fds", "Open file descriptors of the agent.", "", kGauge};

}  // namespace fieldpost::self
