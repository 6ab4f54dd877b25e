// SPDX-License-Identifier: Apache-2.0
/*
 * Pictures of the page of `profreport html`, to be looked at: each view, light
 * and dark, wide and on a phone.
 *
 *	node shots.js PROFREPORT FOLDER PROFILE [OPTION]...
 */
'use strict';
const { execFileSync } = require('child_process');
const fs = require('fs'), path = require('path');
const { chromium } = require('playwright-core');

const [profreport, folder, ...profile] = process.argv.slice(2);
const file = path.resolve(folder, 'page.html');
const SIZES = { wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

(async () => {
  fs.mkdirSync(folder, { recursive: true });
  execFileSync(profreport, ['html', '-o', file, ...profile]);
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  for (const colorScheme of ['light', 'dark'])
    for (const size in SIZES) {
      const p = await browser.newPage({ viewport: SIZES[size], colorScheme, deviceScaleFactor: size === 'phone' ? 2 : 1 });
      await p.goto('file://' + file);
      await p.waitForFunction(() => document.documentElement.dataset.ready);
      const shot = async name => { await p.waitForTimeout(200); await p.screenshot({ path: path.join(folder, `${colorScheme}-${size}-${name}.png`) }); };
      for (const view of ['flame', 'leaves', 'graph', 'top']) {
        await p.click(`[data-view=${view}]`);
        await shot(view);
      }
      await p.locator('#table tbody tr button').first().click();
      await shot('sandwich');
      await p.click('[data-view=flame]');
      await p.mouse.move(SIZES[size].width / 2, size === 'phone' ? 330 : 140);
      await shot('tip');
      await p.close();
    }
  await browser.close();
})();
