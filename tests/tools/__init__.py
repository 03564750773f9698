# SPDX-License-Identifier: Apache-2.0
"""Real brokers, agents and consumers as Python objects, and the checker that compares what was
taken with what arrived. Used by tests/end_to_end, tests/campaigns, tests/bench and `./dev run`.
"""
