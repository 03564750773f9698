# SPDX-License-Identifier: Apache-2.0
"""A real ffmpeg encodes a test picture; its progress reaches the consumer."""

import shutil
import subprocess

import pytest


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_the_progress_of_a_real_encode_arrives(road):
    socket = road.scratch.path / "progress.sock"
    agent = road.agent(flush_interval=0.5, sections={
        "source.encode": {"driver": "ffmpeg", "listen": f"unix:{socket}", "interval": "200ms"}})
    with agent:
        agent.wait_for_log("link up", seconds=20)
        # -re: as fast as the picture would be shown, so that there is time to see it move.
        encode = subprocess.Popen(
            ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi",
             "-i", "testsrc2=size=320x240:rate=25", "-t", "6", "-c:v", "mpeg4",
             "-progress", f"unix:{socket}", "-stats_period", "0.25", "-f", "null", "-"],
            stderr=subprocess.PIPE)
        try:
            errors = encode.communicate(timeout=40)[1]
        finally:
            encode.kill()
            encode.wait()
        assert encode.returncode == 0, errors.decode()
        frames = road.wait_for(frames_reaching(150), 20, "all 150 frames of the encode")
    assert frames == sorted(frames), "frames went back"
    assert len(set(frames)) > 3, "the progress was not followed while it ran"
    road.settle(agent)
    road.assert_all_well(agent)


def frames_reaching(count):
    def condition(messages):
        frames = [sample.value for message in sorted(messages, key=lambda m: m.seq)
                  for sample in message.samples
                  if sample.name == "fieldpost_encoder_frames_total"]
        return frames if frames and frames[-1] >= count else None
    return condition
