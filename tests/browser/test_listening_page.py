"""The listening page in Chromium: by keyboard alone, at one loudness, a vote only after both were heard."""

from __future__ import annotations

import threading

import pytest
from selenium.webdriver.common.by import By

from optimizer.listening import ListeningTest, read_votes, serve

pytestmark = pytest.mark.browser


@pytest.fixture
def address(make_song, make_recipe, write_audio, tmp_path):
    songs = [
        make_song(n, 3.0, make_recipe(bpm=100 + n), audio=write_audio(tmp_path / f"{n}.flac", 4.0, 8000, seed=n))
        for n in range(3)
    ]
    server, address = serve(ListeningTest(songs, tmp_path / "votes.jsonl", seed=0))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield address
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_keyboard_hears_both_and_votes(browser, address, wait, tmp_path):
    browser.get(address)
    wait("document.getElementById('left').readyState > 1 && document.getElementById('right').readyState > 1")
    body = browser.find_element(By.TAG_NAME, "body")
    assert not browser.find_element(By.CSS_SELECTOR, "[data-choice=left]").is_enabled()
    body.send_keys("f")
    assert browser.find_element(By.ID, "said").text == "Listen to both songs first."
    body.send_keys("1")
    wait("document.getElementById('left').currentTime > 0.9")
    body.send_keys("x")
    wait("!document.getElementById('right').paused && document.getElementById('left').paused")
    # Switching keeps the place.
    assert browser.execute_script("return document.getElementById('right').currentTime") > 0.8
    wait("!document.querySelector('[data-choice=left]').disabled")
    volumes = browser.execute_script("return ['left', 'right'].map(side => document.getElementById(side).volume)")
    assert max(volumes) <= 1
    body.send_keys("j")
    wait("document.getElementById('progress').textContent.startsWith('1 of 3')")
    (vote,) = read_votes(tmp_path / "votes.jsonl")
    assert vote.choice == "right"
    assert min(vote.heard) >= 0.5
    assert volumes == [pytest.approx(10 ** (gain / 20), abs=1e-3) for gain in vote.gain_db]
    browser.get(address)
    wait("document.getElementById('progress').textContent.startsWith('1 of 3')")


def test_the_page_names_no_song(browser, address, wait):
    browser.get(address)
    wait("document.getElementById('left').src")
    text = browser.page_source
    assert not any(word in text for word in ("bhangra", "dhol", "BPM", ".flac", "score"))
