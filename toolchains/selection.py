# SPDX-License-Identifier: Apache-2.0
"""Which unit tests a stage of `./dev test` builds and runs, and why it leaves others out.

A function here takes what ctest lists and gives (names to run, targets to build); no targets means the whole build. A stage that
builds in part can only take GoogleTest programs, which carry the label "program" and are targets of their own name
(fieldpost_test). Any other ctest, like the comparison with node_exporter, runs where everything is built: in stage unit.
"""

# Rooms that hold no thread, no lock and no descriptor that wakes one: ThreadSanitizer has nothing to say about them, and they are
# more than half of all there is to compile. What is not named here is in.
WITHOUT_THREADS = (
    "aggregate_test", "clocks_test", "commands_test", "configuration_test", "counter_step_test", "cuts_test", "damage_test", "faults_test",
    "fieldpost_message_test", "fieldpost_segment_test", "filter_test", "golden_test", "hal_allocation_test", "hal_host_test",
    "hal_network_test", "hal_sensors_test", "hal_test", "message_json_test", "platform_clock_test", "platform_crc32c_test", "platform_file_descriptor_test", "platform_file_tree_test",
    "platform_json_cjson_test", "platform_json_grammar_test", "platform_json_writer_test", "platform_result_test",
    "platform_utf8_test", "program_test", "rules_test", "segment_test", "simulated_test",
)

# Where a word's width, its alignment, a char's sign, a time_t or a system call's shape could make the difference: numbers read
# and written, formats on disk and on the wire, what talks to the kernel. The link has no place here: with Mbed TLS cut to a client,
# link_test leaves out what is TLS, and the publish of the shipped binary to a real broker shows it.
ARCHITECTURE_MATTERS = (
    "aggregate_test", "counter_step_test", "fieldpost_message_test", "fieldpost_segment_test", "golden_test", "hal_host_test",
    "hal_test", "message_json_test", "outbox_test", "platform_clock_test", "platform_crc32c_test",
    "platform_durable_file_test", "platform_event_loop_asio_test", "platform_file_tree_test", "platform_json_cjson_test",
    "platform_json_writer_test", "platform_sqlite_sqlite3_test", "platform_unix_socket_test", "platform_worker_test",
    "segment_test", "store_test",
)

# What qemu-user cannot show; the same programs run on this machine in stage unit.
NOT_UNDER_QEMU = {
    "hal_allocation_test": "qemu-user does not translate RTM_GETSTATS, so the network driver takes its slower way",
    "hal_network_test": "qemu-user translates only part of rtnetlink and none of ethtool netlink",
    "platform_child_process_test": "qemu-user's own threads and signals get in between parent and child",
}


# Cases of these programs that QEMU takes minutes for, and that say nothing about a processor: what is dropped from a full outbox
# of megabytes.
SLOW_UNDER_QEMU = (
    "OutboxDatabaseTest.KeepsItsQuotaInAFileWithLargerPages", "OutboxRewriteTest.DropsWhatCannotBeThinnedAnyFurther",
    "OutboxTransactionTest.DropsNoLaneBelowItsShareForAnother",
)


class Stale(Exception):
    """A list above names a test that is not there: renamed or removed, and the list would go on without saying so."""


def everything(tests):
    names = [test["name"] for test in tests]
    if not names:
        raise Stale("the build holds no tests at all")
    return names, []


def for_tsan(tests):
    return _without(tests, WITHOUT_THREADS)


def for_qemu(tests):
    return _without(tests, NOT_UNDER_QEMU)


def for_architecture(tests):
    programs = _programs(tests)
    _check(programs, ARCHITECTURE_MATTERS)
    return [name for name in programs if name in ARCHITECTURE_MATTERS], list(ARCHITECTURE_MATTERS)


def _without(tests, names):
    programs = _programs(tests)
    _check(programs, names)
    chosen = [name for name in programs if name not in names]
    return chosen, chosen


def _programs(tests):
    return [test["name"] for test in tests
            if any(each["name"] == "LABELS" and "program" in each["value"] for each in test.get("properties", ()))]


def _check(programs, names):
    missing = sorted(set(names) - set(programs))
    if missing:
        raise Stale(f"toolchains/selection.py names {', '.join(missing)}, which the build does not have; correct the list")
