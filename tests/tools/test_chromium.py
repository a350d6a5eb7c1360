"""Finding a browser, installing one, and what is said when there is none."""

import pytest

from tools import chromium


@pytest.fixture
def program(tmp_path):
    def make(name: str, script: str) -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def nowhere(monkeypatch):
    """A machine without any browser."""
    monkeypatch.setattr(chromium.shutil, "which", lambda name: None)
    monkeypatch.setattr(chromium, "MACOS", ())
    monkeypatch.setattr(chromium, "_playwrights", lambda: "/no/such/browser")
    monkeypatch.delenv("CI", raising=False)


def test_only_a_program_that_tells_a_version_counts(nowhere, program, monkeypatch):
    stub = program("stub", "echo please use snap; exit 1")
    real = program("real", "echo Chromium 140.0")
    monkeypatch.setattr(chromium, "MACOS", (stub, "/no/such/browser", real))
    assert str(chromium.find()) == real


def test_playwrights_own_is_the_last_resort(nowhere, program, monkeypatch):
    own = program("own", "echo Google Chrome for Testing 140.0")
    monkeypatch.setattr(chromium, "_playwrights", lambda: own)
    assert str(chromium.find()) == own


def test_without_a_browser_the_report_says_so(nowhere, capsys):
    assert chromium.find() is None
    assert chromium.main(["--report"]) == 0
    assert "the browser checks were left out" in capsys.readouterr().out


def test_in_ci_a_missing_browser_is_a_failure(nowhere, monkeypatch):
    monkeypatch.setenv("CI", "true")
    assert chromium.main(["--report"]) == 1


def test_debians_is_installed_only_by_root(nowhere, monkeypatch):
    calls = []
    monkeypatch.setattr(chromium.subprocess, "run", lambda command, **options: calls.append(command))
    monkeypatch.setattr(chromium.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(chromium.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(chromium, "_starts", lambda path: False)
    assert chromium.main([]) == 0
    assert calls == []


def test_debians_is_installed_by_root(nowhere, monkeypatch, capsys):
    calls = []

    class Done:
        returncode, stderr, stdout = 0, "", ""

    def run(command, **options):
        calls.append(command[:3])
        return Done

    monkeypatch.setattr(chromium.subprocess, "run", run)
    monkeypatch.setattr(chromium.shutil, "which", lambda name: "/usr/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(chromium.os, "geteuid", lambda: 0)
    monkeypatch.setattr(chromium, "_starts", lambda path: False)
    assert chromium.main([]) == 0
    assert calls == [["apt-get", "-q", "update"], ["apt-get", "-q", "install"]]
