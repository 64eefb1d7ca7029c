"""The report in Chromium, from file://: players play, the table sorts and filters, a keyboard alone is enough."""

from __future__ import annotations

import time

import pytest
from selenium.webdriver.common.by import By

from optimizer.report import Settings, write_report
from optimizer.song import Record

pytestmark = pytest.mark.browser

HOSTILE = """</script><script>window.hacked=1</script><img src=x onerror="window.hacked=2"> 'ਢੋਲ' & more"""

CONTRAST = """
// A translucent mark is given as color(...) and changes little; what lies under it counts.
const parse = text => {
  const numbers = text.startsWith("rgb") ? text.match(/[\\d.]+/g).map(Number) : null;
  return !numbers || numbers[3] === 0 ? null : numbers;
};
const light = rgb => {
  const [r, g, b] = rgb.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
};
const ground = node => {
  for (; node; node = node.parentElement) {
    const found = parse(getComputedStyle(node).backgroundColor);
    if (found) return found;
  }
  return [255, 255, 255];
};
const poor = [];
for (const node of document.querySelectorAll("body *")) {
  const own = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
  if (!own || !node.checkVisibility() || node.disabled || node.closest("script,noscript,option")) continue;
  const style = getComputedStyle(node), words = parse(node instanceof SVGElement ? style.fill : style.color);
  const [a, b] = [light(words), light(ground(node))].sort((x, y) => y - x);
  if ((a + .05) / (b + .05) < 4.5) poor.push(node.outerHTML.slice(0, 90));
}
return poor;
"""

NAMELESS = """
const controls = "button,input,select,audio,summary,[role=region],[role=img],aside";
return [...document.querySelectorAll(controls)].filter(node =>
  !(node.getAttribute("aria-label") || node.labels?.length || node.textContent.trim())
).map(node => node.outerHTML.slice(0, 90));
"""

PLAYS = "(p => p.src.endsWith('{}.flac') && p.currentTime > 0.1)(document.getElementById('player'))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page") / "bhangra"


@pytest.fixture
def record(folder, make_song, make_recipe, write_audio):
    songs = []
    for number in range(80):
        audio = folder / "songs" / f"{number:04d}.flac"
        if number < 6 and not audio.is_file():
            write_audio(audio, 3.0, 8000, seed=number)
        recipe = make_recipe(
            style=["dhol-party", "desi-club"][number % 2],
            bpm=90 + 5 * (number % 4),
            key=["G major", "E minor"][number // 2 % 2],
            caption=HOSTILE if number == 0 else "a caption",
            seed=number,
        )
        songs.append(
            make_song(
                number,
                4.9 - number / 20,
                recipe,
                phase="sweep" if number % 3 else "refine",
                audio=audio if number < 6 else None,
                parts={"pulse": number / 10},
                curve=(3.0, 4.0, 3.5),
            )
        )
    return Record("bhangra", folder, {"renderer": {}, "scorer": {}}, tuple(songs))


@pytest.fixture
def page(browser, record, wait):
    write_report([record], record.folder / "report.html")
    browser.get((record.folder / "report.html").as_uri())
    wait("document.documentElement.dataset.ready === 'true'")
    return browser


def numbers(page):
    return page.execute_script("return [...document.querySelectorAll('#table tbody tr')].map(r => +r.dataset.row)")


def press(page, *keys):
    for key in keys:
        page.find_element(By.TAG_NAME, "body").send_keys(key)


def playing(page):
    return page.execute_script(
        "return [...document.querySelectorAll('audio')].filter(a => !a.paused).map(a => decodeURI(a.src).slice(-9))"
    )


def test_a_caption_stays_words(page):
    assert page.execute_script("return window.hacked") is None
    press(page, "j")
    page.find_element(By.CSS_SELECTOR, "#detail summary").click()
    assert HOSTILE in page.find_element(By.ID, "detail-body").text


def test_a_card_and_a_row_play_one_at_a_time(page, wait):
    page.execute_script("document.querySelector('.cards audio').play()")
    wait("document.querySelector('.cards audio').currentTime > 0.1")
    page.find_elements(By.CSS_SELECTOR, "#table .play")[1].click()
    wait("document.getElementById('player').currentTime > 0.1")
    assert playing(page) == ["0001.flac"]
    page.find_elements(By.CSS_SELECTOR, "#table .play")[1].click()
    assert playing(page) == []


def test_the_table_sorts_both_ways(page):
    assert numbers(page)[:3] == [0, 1, 2]
    head = page.find_element(By.XPATH, "//th/button[text()='Score']")
    head.click()
    assert numbers(page)[:3] == [79, 78, 77]
    assert head.find_element(By.XPATH, "..").get_attribute("aria-sort") == "ascending"
    page.find_element(By.XPATH, "//th/button[text()='BPM']").click()
    assert [number % 4 for number in numbers(page)[:20]] == [3] * 20


def test_filters_narrow_and_clear(page):
    page.execute_script(
        "const s = document.getElementById('f-k'); s.value = 'E minor'; s.dispatchEvent(new Event('change'))"
    )
    assert page.find_element(By.ID, "count").text == "40 of 80 songs"
    page.find_element(By.ID, "f-text").send_keys("desi")
    assert page.find_element(By.ID, "count").text == "20 of 80 songs"
    page.find_element(By.ID, "f-v").send_keys("4.5")
    assert numbers(page) == [3, 7]
    page.find_element(By.ID, "f-clear").click()
    assert page.find_element(By.ID, "count").text == "80 songs"


def test_rows_come_as_they_are_scrolled_to(page, wait):
    assert len(numbers(page)) == 60
    page.execute_script("document.getElementById('more').scrollIntoView()")
    wait("document.querySelectorAll('#table tbody tr').length === 80")


def test_a_keyboard_plays_skips_and_compares(page, wait):
    press(page, "j", "j")
    assert page.find_element(By.CSS_SELECTOR, "tr[aria-current=true]").get_attribute("data-row") == "1"
    press(page, " ")
    wait("document.getElementById('player').currentTime > 0.1")
    press(page, "a", "n")
    wait(PLAYS.format("0002"))
    assert playing(page) == ["0002.flac"]
    press(page, "b", "x")
    wait(PLAYS.format("0001"))
    assert page.find_element(By.ID, "swap").is_enabled()
    press(page, "x")
    wait("document.getElementById('player').src.endsWith('0002.flac')")
    press(page, "k", " ")
    assert page.find_element(By.CSS_SELECTOR, "tr[aria-current=true]").get_attribute("data-row") == "1"
    page.find_element(By.ID, "f-text").send_keys("j")
    assert page.find_element(By.CSS_SELECTOR, "tr[aria-current=true]").get_attribute("data-row") == "1"


def test_shortcuts_can_be_turned_off(page):
    page.execute_script("document.getElementById('shortcuts').checked = false")
    press(page, "j")
    assert not page.find_element(By.ID, "bar").is_displayed()


def test_recipe_and_command_are_copied(page, wait):
    page.execute_script("navigator.clipboard.writeText = async text => { window.copied = text; }")
    press(page, "j", "c")
    wait("window.copied")
    assert '"bpm": 90' in page.execute_script("return window.copied")
    page.find_element(By.ID, "copy-command").click()
    wait("window.copied.startsWith('optimize')")
    assert page.execute_script("return window.copied") == "optimize rerender bhangra 0"
    assert page.find_element(By.ID, "said").text == "Command copied."


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read_and_every_control_has_a_name(page, scheme):
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    press(page, "j")
    page.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.execute_script(CONTRAST) == []
    assert page.execute_script(NAMELESS) == []


def test_a_phone_is_wide_enough(page):
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    press(page, "j")
    assert page.execute_script("return document.documentElement.scrollWidth") <= 390
    assert page.find_element(By.ID, "bar").size["height"] < 844 / 3


def test_embedded_songs_play_without_files(browser, record, tmp_path, wait):
    out = tmp_path / "alone.html"
    write_report([record], out, Settings(embed=2))
    browser.get(out.as_uri())
    wait("document.documentElement.dataset.ready === 'true'")
    press(browser, "j", " ")
    wait("document.getElementById('player').currentTime > 0.1")
    browser.execute_script("document.querySelectorAll('.cards audio')[1].play()")
    wait("document.querySelectorAll('.cards audio')[1].currentTime > 0.1")


def test_two_thousand_songs_are_ready_in_two_seconds(browser, make_song, make_recipe, tmp_path, wait):
    songs = [
        make_song(
            number,
            number % 97 / 10,
            make_recipe(bpm=60 + number % 100, style=f"s{number % 40}", seed=number),
            study="big",
        )
        for number in range(2000)
    ]
    out = tmp_path / "report.html"
    write_report([Record("big", tmp_path, {"renderer": {}, "scorer": {}}, tuple(songs))], out)
    start = time.process_time()
    browser.get(out.as_uri())
    wait("document.documentElement.dataset.ready === 'true'")
    assert time.process_time() - start < 2
    timing = "performance.getEntriesByType('navigation')[0].domInteractive"
    assert browser.execute_script(f"return {timing}") < 4000
    browser.find_element(By.ID, "f-text").send_keys("s39")
    assert browser.find_element(By.ID, "count").text == "50 of 2000 songs"
