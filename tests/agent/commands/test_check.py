# SPDX-License-Identifier: Apache-2.0
"""`fieldpost check`: every problem with its line, and exit codes."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


def write(folder, text):
    path = folder / "gateway.toml"
    path.write_text(text)
    return path


def test_a_right_configuration_is_said_to_be_right(fieldpost, tmp_path):
    path = write(tmp_path, '[device]\nname = "gw"\n')
    answer = fieldpost("check", "--config", path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    lines = answer.stdout.splitlines()
    assert lines[0] == (f"{path}: warning: no [broker]: readings stay in the outbox until its quota is "
                        "reached")
    assert lines[-1].startswith(f"{path}: right; device gw, ")
    assert answer.stderr == ""


def test_all_problems_are_reported_in_order(fieldpost, tmp_path):
    path = write(tmp_path, '[sampling]\nintervall = "10s"\n\n[log]\nlevel = "loud"\n')
    answer = fieldpost("check", "--config", path)
    assert answer.returncode == 1
    assert answer.stdout.splitlines()[-2:] == [
        f'{path}:2: unknown key "intervall" in [sampling]; did you mean "interval"?',
        f'{path}:5: "level" in [log] is "loud"; it must be "error", "warn", "info" or "debug"']
    assert answer.stderr == f"fieldpost check: 2 problems in {path}\n"


def test_a_file_that_is_not_there(fieldpost, tmp_path):
    answer = fieldpost("check", "--config", tmp_path / "no.toml")
    assert answer.returncode == 1
    assert answer.stdout == f"{tmp_path}/no.toml: no such file; say where it is with --config FILE\n"


def test_what_is_laid_over_the_file_is_named(fieldpost, tmp_path, monkeypatch):
    path = write(tmp_path, '[device]\nname = "gw"\n[self]\nenabled = true\n')
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "20-site.toml").write_text('[device]\nname = "site"\n')
    (tmp_path / "conf.d" / "10-early.toml").write_text('[device]\nname = "early"\n')
    monkeypatch.setenv("FIELDPOST_SAMPLING_INTERVAL", "2s")
    answer = fieldpost("check", "--config", path)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    lines = answer.stdout.splitlines()
    assert lines[:4] == [f"read {path}", f"read {tmp_path}/conf.d/10-early.toml",
                         f"read {tmp_path}/conf.d/20-site.toml",
                         "read environment variable FIELDPOST_SAMPLING_INTERVAL"]
    assert lines[-1].startswith(f"{path}: right; device site, ")

    (tmp_path / "conf.d" / "20-site.toml").write_text('[device]\n\nnmae = "site"\n')
    answer = fieldpost("check", "--config", path)
    assert answer.returncode == 1
    assert answer.stdout.splitlines()[-1] == (
        f'{tmp_path}/conf.d/20-site.toml:3: unknown key "nmae" in [device]; did you mean "name"?')
    assert answer.stderr == f"fieldpost check: 1 problem in {path} and what is laid over it\n"
    run = fieldpost("run", "--config", path)
    assert run.returncode == 1 and run.stderr == (
        f'fieldpost run: {tmp_path}/conf.d/20-site.toml:3: unknown key "nmae" in [device]; did you mean "name"?\n')


def test_an_encoder_that_would_be_read_too_seldom(fieldpost, tmp_path):
    path = write(tmp_path, '[sampling]\ninterval = "1m"\n[source.studio]\ndriver = "ffmpeg"\n'
                           'listen = "unix:/run/x.sock"\n')
    answer = fieldpost("check", "--config", path)
    assert answer.returncode == 1
    assert answer.stdout.splitlines()[-1] == (
        f'{path}:3: [source.studio] is read every 1m; set "interval" in it to at most 30s: ffmpeg stops '
        "encoding when nobody reads its progress")


def test_a_certificate_that_is_none(fieldpost, tmp_path):
    (tmp_path / "c.pem").write_text("no certificate\n")
    (tmp_path / "c.key").write_text("no key\n")
    (tmp_path / "c.key").chmod(0o600)
    path = write(tmp_path, f'[device]\nstate_directory = "{tmp_path}/state"\n[broker]\nurl = "mqtts://localhost:8883"\n'
                           'certificate_file = "c.pem"\nkey_file = "c.key"\n')
    answer = fieldpost("check", "--config", path)
    assert answer.returncode == 1
    assert len(answer.stdout.splitlines()) == 1
    assert "c.pem" in answer.stdout and "certificate_file" in answer.stdout
    run = fieldpost("run", "--config", path)
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1 and "c.pem" in run.stderr


def test_the_reference_names_every_key_of_the_examples(fieldpost):
    answer = fieldpost("check", "--explain")
    assert answer.returncode == 0
    for example in ("gateway.toml", "encoder.toml", "aws.toml", "azure.toml", "fleet.toml"):
        for line in (REPOSITORY / "packaging" / "examples" / example).read_text().splitlines():
            if " = " in line and not line.startswith("#"):
                assert f"\n  {line.split(' = ')[0].strip()}  (" in answer.stdout, line


def test_the_examples_are_right_but_for_their_certificates(fieldpost):
    for example in ("gateway.toml", "encoder.toml", "aws.toml", "azure.toml", "fleet.toml"):
        answer = fieldpost("check", "--config", REPOSITORY / "packaging" / "examples" / example)
        assert answer.returncode == 1
        for line in answer.stdout.splitlines():
            assert "_file\" in [broker] names" in line and "does not exist" in line, line


def test_a_broker_without_any_identity_is_warned_of(fieldpost, tmp_path):
    path = write(tmp_path, f'[device]\nname = "gw"\nstate_directory = "{tmp_path}/state"\n'
                           '[broker]\nurl = "mqtt://localhost:1883"\nplaintext_allowed = true\n')
    warning = "neither certificate_file nor username, and `fieldpost provision` has made no identity"
    assert warning in fieldpost("check", "--config", path).stdout
    path.write_text(path.read_text() + 'username = "gw"\n')
    assert warning not in fieldpost("check", "--config", path).stdout
