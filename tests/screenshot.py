"""Draw results/page.png, the picture in the README:  python -m tests.screenshot"""

import argparse
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.support.server import CHROMIUM_FLAGS, ROOT, Server


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(f"sqlite:///{Path(folder) / 'study.sqlite'}")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(server.url)
        page.locator("#examples button").last.click()
        page.get_by_text("pixels colorized").wait_for()
        page.locator("#download:not([disabled])").wait_for()
        page.wait_for_timeout(3000)  # for "Other colours", and the slider's opening
        page.mouse.wheel(0, -10_000)
        page.wait_for_timeout(300)
        page.screenshot(path=ROOT / "results" / "page.png", full_page=True)
        browser.close()
        server.stop()


if __name__ == "__main__":
    main()
