"""Every page in headless Chromium, on a phone and on a desk, in both languages."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ingest_service.domain.tank import height_m
from ingest_service.web.app import create_app
from tests.support.programs import need_program
from tests.support.serving import served
from tests.support.water_village import TANKS, Village, make_village

SCREENS = Path(__file__).parents[3] / ".screens"
PAGES = {
    "home": "/",
    "place": "/places/na-mau",
    "nobody": "/places/ban-trong",
    **{key: f"/assets/{key}" for key in (*TANKS, "loc-1", "tuyen-1")},
    "label": "/assets/be-thap/label",
    "alerts": "/alerts",
    "missing": "/assets/khong-co",
}
WIDTHS = (360, 1280)
ARGUMENTS = (
    "--no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with contextlib.closing(make_village(tmp_path_factory.mktemp("village"))) as village:
        yield village


@pytest.fixture(scope="module")
def address(village: Village) -> Iterator[str]:
    with served(create_app(village.observations, village.records, village.now)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = need_program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS.split())
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser: Browser, width: int, language: str, *, script: bool = True) -> Iterator[tuple[Page, list[str]]]:
    context = browser.new_context(
        viewport={"width": width, "height": 740}, locale=language, java_script_enabled=script, device_scale_factor=1
    )
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page, said
    context.close()


FAULTS_OF_LAYOUT = """() => {
  const faults = [], wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > wide) faults.push(`page is ${document.documentElement.scrollWidth} wide`);
  for (const it of document.querySelectorAll('body *')) {
    const box = it.getBoundingClientRect();
    if (box.width && (box.right > wide + 1 || box.left < -1))
      faults.push(`${it.tagName} ${it.className} leaves the page`);
    const cut = getComputedStyle(it).overflow !== 'visible' && it.scrollWidth > it.clientWidth + 1;
    if (it instanceof HTMLElement && it.clientWidth && it.scrollWidth > it.clientWidth + 1)
      faults.push(`"${it.textContent.trim().slice(0, 30)}" leaves its ${it.tagName} ${it.className}`);
    if (cut && it.tagName !== 'svg' && !(it instanceof SVGElement)) faults.push(`${it.tagName} cuts its text`);
  }
  for (const text of document.querySelectorAll('svg text')) {
    const box = text.getBoundingClientRect(), frame = text.ownerSVGElement.getBoundingClientRect();
    const out = box.left < frame.left - 1 || box.right > frame.right + 1;
    if (out || box.bottom > frame.bottom + 1 || box.top < frame.top - 1)
      faults.push(`"${text.textContent}" leaves its drawing`);
    if (box.height && box.height < 11) faults.push(`"${text.textContent}" is ${box.height} high`);
    for (const other of text.ownerSVGElement.querySelectorAll('text')) {
      if (other === text) break;
      const b = other.getBoundingClientRect();
      if (box.left < b.right - 1 && b.left < box.right - 1 && box.top < b.bottom - 4 && b.top < box.bottom - 4)
        faults.push(`"${text.textContent}" lies on "${other.textContent}"`);
    }
  }
  for (const it of document.querySelectorAll('a.call,a.item,header a')) {
    if (it.getBoundingClientRect().height < 32) faults.push(`"${it.textContent}" is hard to touch`);
  }
  return faults;
}"""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_page_fits_its_screen_and_is_quiet(browser: Browser, address: str, width: int, language: str) -> None:
    SCREENS.mkdir(exist_ok=True)
    faults: dict[str, Any] = {}
    with opened(browser, width, language) as (page, said):
        for name, path in PAGES.items():
            response = page.goto(address + path)
            assert response is not None
            assert response.status == (404 if name == "missing" else 200), path
            assert page.locator("html").get_attribute("lang") == language
            found = page.evaluate(FAULTS_OF_LAYOUT)
            noise = [line for line in said if not (name == "missing" and "404" in line)]
            said.clear()
            if found or noise:
                faults[name] = [*found, *noise]
            page.screenshot(path=SCREENS / f"{name}-{width}-{language}.png", full_page=True)
    assert faults == {}


@pytest.mark.parametrize("language", ["vi", "en"])
def test_pages_say_the_same_without_javascript(browser: Browser, address: str, language: str) -> None:
    with opened(browser, 360, language, script=False) as (silent, _), opened(browser, 360, language) as (page, _):
        for path in PAGES.values():
            silent.goto(address + path)
            page.goto(address + path)
            assert silent.inner_text("body") == page.inner_text("body")
            assert page.locator("script").count() == 0


@pytest.mark.parametrize("key", [key for key in TANKS if key != "be-moi"])
def test_water_stands_in_the_drawing_where_it_stands_in_the_tank(
    browser: Browser, address: str, village: Village, key: str
) -> None:
    """The surface divides the height of the drawing as the level divides the tank's."""
    tank = TANKS[key][2]
    with opened(browser, 360, "vi") as (page, _):
        page.goto(f"{address}/assets/{key}")
        shown = re.search(r"([\d.]+),(\d\d)\sm", page.inner_text(".facts"))
        assert shown is not None
        level_m = float(f"{shown[1]}.{shown[2]}")
        boxes = [page.locator(f"#tank {part}").first.bounding_box() for part in (".wall", ".water", ".lip", ".pipe")]
    wall, water, lip, pipe = ((box["y"], box["height"]) for box in boxes if box is not None)
    bottom = wall[0] + wall[1]
    scale = (bottom - lip[0] - lip[1] / 2) / tank.full_m
    assert (bottom - water[0]) / scale == pytest.approx(level_m, abs=0.01)
    assert bottom - pipe[0] - pipe[1] / 2 == pytest.approx(tank.outlet_m * scale, abs=1)
    assert 0 < level_m <= height_m(tank.shape, 1e9)


def test_the_choice_of_language_stays_and_leads_back(browser: Browser, address: str) -> None:
    with opened(browser, 360, "vi") as (page, _):
        page.goto(f"{address}/assets/be-thap")
        page.get_by_text("English").click()
        assert page.url == f"{address}/assets/be-thap"
        assert page.locator("html").get_attribute("lang") == "en"
        page.goto(f"{address}/alerts")
        assert page.locator("html").get_attribute("lang") == "en"


def test_a_phone_dials_from_the_page(browser: Browser, address: str) -> None:
    with opened(browser, 360, "vi") as (page, _):
        page.goto(f"{address}/assets/be-het")
        assert page.locator("a.call").nth(1).get_attribute("href") == "tel:0900000002"


def test_text_stands_out_from_its_ground(browser: Browser, address: str) -> None:
    """WCAG AA: 4.5 to 1 for text, measured on what the browser has drawn as styles."""
    with opened(browser, 360, "vi") as (page, _):
        for path in PAGES.values():
            page.goto(address + path)
            assert page.evaluate(WEAK_CONTRAST) == [], path


WEAK_CONTRAST = """() => {
  const parse = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const ground = it => { for (; it; it = it.parentElement) {
    const colour = parse(getComputedStyle(it).backgroundColor); if (colour.length < 4 || colour[3] > 0) return colour; }
    return [255, 255, 255]; };
  const weak = [];
  for (const it of document.querySelectorAll('body *')) {
    const own = [...it.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || it instanceof SVGElement) continue;
    const a = light(parse(getComputedStyle(it).color)), b = light(ground(it));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) weak.push(`${it.textContent.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return weak;
}"""
